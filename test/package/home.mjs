// A temporary folder in which strangers live: the packed package is installed there, and the tools are found there.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { succeed } from "./process.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = join(here, "node_modules");

/** The path of a file of the repository. */
export const ofRepository = (path) => join(root, path);

/** The path of a file of an installed tool. */
export const tool = (path) => join(tools, path);

/** The Node of a version. */
export const node = (version) => tool(`node${version}/bin/node`);

/** Runs tools: the newest of them do not start on Node 20. */
export const toolsNode = node(24);

/** Installs the tools where they are missing or older than the lock file. */
export async function installTools() {
  const time = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (time(tool(".package-lock.json")) > time(join(here, "package-lock.json"))) return;
  console.log("installing the tools of test/package (npm ci) …");
  await succeed("npm", ["ci"], { cwd: here, seconds: 600 });
}

/**
 * Packs the package and installs it. In the folder, node_modules has the tools, and projects/ has the package in a
 * node_modules of its own: a project in it finds both, as in a workspace, and nothing of the repository.
 */
export async function makeHome() {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "wasmgrad-consumers-")));
  const projects = join(folder, "projects");
  mkdirSync(projects);
  symlinkSync(tools, join(folder, "node_modules"));
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const [tarball] = Object.values(JSON.parse((await succeed("npm", pack, { cwd: root })).stdout));
  writeFileSync(join(projects, "package.json"), '{ "private": true }\n');
  await succeed("npm", ["install", "--no-save", join(folder, tarball.filename)], { cwd: projects });
  return {
    folder,
    /** What `npm pack` says of each file in the tarball: path and size. */
    packed: tarball.files,
    /** The path of a file of the installed package. */
    installed: (path) => join(projects, "node_modules/wasmgrad", path),
    /** The text of a file of the installed package. */
    read: (path) => readFileSync(join(projects, "node_modules/wasmgrad", path), "utf8"),
    /** Makes a project of fixtures, each copied to the path in the project that is its key, and returns its folder. */
    project(name, fixtures, packageJson = {}) {
      const project = join(projects, name);
      mkdirSync(project);
      writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, ...packageJson }));
      for (const [path, fixture] of Object.entries(fixtures))
        cpSync(join(here, "fixtures", fixture), join(project, path), { recursive: true });
      return project;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
