// Test runners as they come: each runs a test that trains XOR with the package.
import { tool, toolsNode } from "./home.mjs";
import { Failure, succeed } from "./process.mjs";

const JEST = [tool("jest/bin/jest.js")];

/** `files` are fixtures by their path in the project; `passed` is what the runner says when the tests ran. */
const RUNNERS = {
  vitest: {
    files: { "xor.test.js": "vitest.js" },
    command: [tool("vitest/vitest.mjs"), "run"],
    passed: /Tests {2}1 passed/,
  },
  "jest, CommonJS": { files: { "xor.test.js": "jest.js" }, command: JEST, passed: /Tests: +1 passed/ },
  "jest, import translated by babel-jest": {
    files: { "xor.test.js": "babel-jest.js", "babel.config.json": "babel.config.json" },
    command: JEST,
    passed: /Tests: +1 passed/,
  },
  "jest, TypeScript translated by ts-jest": {
    files: { "xor.test.ts": "ts-jest.ts" },
    packageJson: { jest: { preset: "ts-jest" } },
    command: JEST,
    passed: /Tests: +1 passed/,
  },
  "jest, fit does not wait for fake timers": {
    files: { "timers.test.js": "jest-timers.js" },
    command: JEST,
    passed: /Tests: +3 passed/,
  },
  "node:test": {
    files: { "xor.test.mjs": "node-test.mjs" },
    command: ["--test"],
    passed: /pass 1\b/,
  },
};

export function runnerChecks(home) {
  return Object.entries(RUNNERS).map(([name, { files, packageJson, command, passed }]) => [
    `test runner: ${name}`,
    async () => {
      const fixtures = Object.entries(files).map(([path, fixture]) => [path, `runners/${fixture}`]);
      const folder = name.replaceAll(/\W+/g, "-");
      const cwd = home.project(folder, Object.fromEntries(fixtures), packageJson);
      const result = await succeed(toolsNode, command, { cwd });
      if (!passed.test(result.output)) throw new Failure(result, `an output like ${passed}`);
    },
  ]);
}
