// What a stranger's tools make of the package: packs what `npm run build` left into build/wasmgrad.tgz, and shows it to
// publint and to "are the types wrong?", the latter in all of TypeScript's ways to find a module. Prints the size.
import { execFileSync } from "node:child_process";
import { renameSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));

const npm = (...args) =>
  execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
// Without scripts, for prepack would build once more.
const packing = npm("pack", "--ignore-scripts", "--json", "--loglevel=error", "--pack-destination", "build");
const [{ filename, size, unpackedSize }] = JSON.parse(packing);
const tarball = "build/wasmgrad.tgz";
renameSync(`build/${filename}`, tarball);
console.log(`${tarball}: ${size} bytes, ${unpackedSize} unpacked`);

try {
  for (const command of [`publint run ${tarball} --strict`, `attw ${tarball} --no-emoji`])
    execFileSync("npx", ["--no-install", ...command.split(" ")], { stdio: "inherit" });
} catch (error) {
  // It has said why.
  process.exit(error.status ?? 1);
}
