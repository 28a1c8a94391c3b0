// Builds the library and runs an example on it: npm run example -- NAME [ARGUMENTS]
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What examples import, but are none. */
const HELPERS = ["digits", "terminal"];

const folder = fileURLToPath(new URL("../examples/", import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3))
  .filter((name) => !HELPERS.includes(name));
const [name, ...args] = process.argv.slice(2);
if (!names.includes(name)) {
  const problem = name === undefined ? "which example?" : `there is no example ${JSON.stringify(name)}:`;
  console.error(`${problem} npm run example -- NAME runs one of ${names.join(", ")}`);
  process.exit(1);
}
run("npm run build", { shell: true, stdio: ["ignore", "ignore", "inherit"] });
run(process.execPath, { stdio: "inherit" }, ["--import", "tsx", `${folder}${name}.ts`, ...args]);

/** Runs a command; where it fails this process ends as it did. */
function run(command, options, args = []) {
  const { status, error } = spawnSync(command, args, {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    ...options,
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
