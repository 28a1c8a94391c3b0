// The licences of the code of others in dist/, as one text.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loaderChanges } from "./loader.mjs";

/** Packages that ship no licence text: the package of the same project that does. */
const TEXT_ELSEWHERE = { "@assemblyscript/loader": "assemblyscript" };
const TEXTS = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "COPYING"];

/** What is done to the code of a package on its way into the bundle, beyond translation. */
const CHANGED = {
  "@assemblyscript/loader":
    `Changed by wasmgrad (scripts/loader.mjs in its repository): the loader here ${loaderChanges.join(", and ")}. ` +
    "Functions that wasmgrad does not use are left out.",
  assemblyscript:
    "Its runtime and standard library, as far as they are used, compiled into the WebAssembly binaries.",
};

/**
 * The text for the packages of these names.
 *
 * @throws Error where a package's licence cannot be found
 */
export function licenses(names) {
  return `wasmgrad contains code of others, under these licences.\n${names.map(section).join("")}`;
}

function section(name) {
  const folder = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const home = join("node_modules", TEXT_ELSEWHERE[name] ?? name);
  const file = TEXTS.map((text) => join(home, text)).find((path) => existsSync(path));
  if (!license || !file)
    throw new Error(
      `${name} is bundled, but ${license ? `there is none of ${TEXTS.join(", ")} in ${home}` : "it names no licence"}: ` +
        "its licence must ship with the package, find the text and name its place in scripts/licenses.mjs",
    );
  const notice = join(home, "NOTICE");
  return [
    `\n${"=".repeat(80)}`,
    `${name} ${version} (${license})`,
    ...(CHANGED[name] ? [CHANGED[name]] : []),
    "=".repeat(80),
    readFileSync(file, "utf8").trimEnd(),
    ...(existsSync(notice) ? [`\n${"-".repeat(80)}\nNOTICE\n`, readFileSync(notice, "utf8").trimEnd()] : []),
    "",
  ].join("\n");
}
