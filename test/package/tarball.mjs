// What is in the tarball, and what npm's page of the package shows.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ofRepository } from "./home.mjs";

/** Bytes of a file; a source map has its sources in it. */
const LARGEST = 300_000;
const LARGEST_MAP = 800_000;

export function tarballChecks(home) {
  const paths = home.packed.map(({ path }) => path);
  return [
    [
      `the tarball has no file above ${LARGEST / 1000} KB, no source map above ${LARGEST_MAP / 1000}`,
      () =>
        assert.deepEqual(
          home.packed.filter(({ path, size }) => size > (path.endsWith(".map") ? LARGEST_MAP : LARGEST)),
          [],
        ),
    ],
    [
      "the tarball has a readme, a licence, and the licences of what is bundled",
      () => {
        for (const path of ["README.md", "LICENSE"]) assert(paths.includes(path), `no ${path}`);
        const licences = paths.find((path) => /third.party.licen[cs]es/i.test(path));
        assert(licences, `no third-party licences among ${paths.join(", ")}`);
        assert.match(home.read(licences), /assemblyscript[\s\S]*Apache License/);
      },
    ],
    [
      "package.json says where its entries, its repository and its maintainers are",
      () => {
        const described = JSON.parse(home.read("package.json"));
        for (const field of ["main", "module", "types"])
          assert(existsSync(home.installed(described[field] ?? "?")), `${field} is ${described[field]}`);
        for (const field of ["repository", "homepage", "bugs", "license", "description"])
          assert(described[field], `no ${field}`);
        assert.deepEqual(described.dependencies ?? {}, {});
      },
    ],
    [
      "every source map holds its sources",
      () => {
        const bundles = paths.filter((path) => /\.[cm]?js$/.test(path));
        const maps = bundles.flatMap((path) => {
          const [, map] = /\/\/# sourceMappingURL=(\S+)\s*$/.exec(home.read(path)) ?? [];
          return map ? [join(dirname(path), map)] : [];
        });
        assert(maps.length > 0, "no file names a source map");
        for (const path of maps) {
          assert(paths.includes(path), `no ${path}`);
          const { sources, sourcesContent = [] } = JSON.parse(home.read(path));
          const without = sources.filter((_, index) => typeof sourcesContent[index] !== "string");
          assert.deepEqual(without, [], `sources that are not in ${path}`);
        }
      },
    ],
    [
      "the types show nothing that is marked @internal",
      () => {
        const declared = paths.filter((path) => /\.d\.[cm]?ts$/.test(path));
        assert(declared.length > 0);
        assert.deepEqual(
          declared.filter((path) => home.read(path).includes("@internal")),
          [],
        );
      },
    ],
    [
      "every link of README.md leads somewhere",
      () => {
        const readme = readFileSync(ofRepository("README.md"), "utf8");
        const targets = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
        assert(targets.length > 0);
        const broken = targets.filter((target) => {
          if (/^https?:/.test(target)) return !URL.canParse(target);
          const [path, anchor] = target.split("#");
          const file = ofRepository(path || "README.md");
          return !existsSync(file) || (anchor && !anchors(file).includes(anchor));
        });
        assert.deepEqual(broken, []);
      },
    ],
  ];
}

/** The anchors that GitHub gives a file's headings. */
function anchors(file) {
  const headings = readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, text]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
