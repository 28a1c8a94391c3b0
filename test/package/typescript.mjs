// The package's types, in versions of TypeScript, for each way of finding them and each kind of file.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tool, toolsNode } from "./home.mjs";
import { succeed } from "./process.mjs";

/** The types of Node (@types/node) are written for 5.6 and later. */
const VERSIONS = {
  5.4: { folder: "ts54", withoutNodeTypes: true },
  5.6: { folder: "ts56" },
  5.9: { folder: "ts59" },
  "6.0": { folder: "typescript", deprecating: true },
  "7.0": { folder: "ts70", withoutNode10: true },
};

const ESM = { "consumer.mts": "consumer.ts" };
const COMMONJS = { "consumer.cts": "consumer.ts", "require.cts": "require.cts" };
const EITHER = { "consumer.ts": "consumer.ts" };

/** Ways to find a package's types; `programs` are the files that are compiled together, by the module they become. */
const RESOLUTIONS = {
  node10: { es2022: EITHER, commonjs: { ...EITHER, ...COMMONJS } },
  node16: { node16: { ...ESM, ...COMMONJS } },
  nodenext: { nodenext: { ...ESM, ...COMMONJS } },
  bundler: { es2022: EITHER, preserve: { ...ESM, ...COMMONJS } },
};

/** What a program finds declared besides the language. */
const SIGNAL = { "signal.ts": "signal.ts" };
const ENVIRONMENTS = {
  "lib es2022": { lib: ["es2022"], files: {} },
  "lib dom": { lib: ["es2022", "dom"], files: SIGNAL },
};
const NODE = { lib: ["es2022"], types: ["node"], files: SIGNAL };

export function typescriptChecks(home) {
  const checkOf = (version, moduleResolution, module, files, environmentName, environment) => {
    const name = `TypeScript ${version}: ${moduleResolution}, module ${module}, ${environmentName}`;
    const { folder, deprecating } = VERSIONS[version];
    const { lib, types = [], files: more } = environment;
    const body = async () => {
      const fixtures = Object.entries({ ...files, ...more });
      const project = home.project(
        `typescript ${version} ${moduleResolution} ${module} ${environmentName}`.replaceAll(" ", "-"),
        Object.fromEntries(fixtures.map(([path, fixture]) => [path, join("typescript", fixture)])),
        module === "commonjs" ? {} : { type: "module" },
      );
      const compilerOptions = {
        ...{ noEmit: true, strict: true, skipLibCheck: false, target: "es2022" },
        ...{ module, moduleResolution, lib, types },
        ...(deprecating && moduleResolution === "node10" ? { ignoreDeprecations: "6.0" } : {}),
      };
      const config = { compilerOptions, files: fixtures.map(([path]) => path) };
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
      await succeed(toolsNode, [tool(`${folder}/bin/tsc`), "--pretty", "false"], { cwd: project });
    };
    return [name, body];
  };

  return Object.entries(VERSIONS).flatMap(([version, { withoutNode10, withoutNodeTypes }]) => [
    ...Object.entries(RESOLUTIONS)
      .filter(([resolution]) => !(withoutNode10 && resolution === "node10"))
      .flatMap(([resolution, programs]) =>
        Object.entries(programs).flatMap(([module, files]) =>
          Object.entries(ENVIRONMENTS).map((environment) =>
            checkOf(version, resolution, module, files, ...environment),
          ),
        ),
      ),
    ...(withoutNodeTypes
      ? []
      : [checkOf(version, "nodenext", "nodenext", RESOLUTIONS.nodenext.nodenext, "types node", NODE)]),
  ]);
}
