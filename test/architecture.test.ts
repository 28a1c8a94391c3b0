// The import rules of the sources: who may know whom.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Import {
  /** What is imported: a path from the root of the repository, or the name of a module. */
  target: string;
  /** Whether nothing is left of the import after compilation. */
  typeOnly: boolean;
}

/** Every source file in src and assembly, as a path from the root, with its imports. */
const sources = new Map(
  ["src", "assembly"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
      .map((file): [string, Import[]] => [file, importsOf(file)]),
  ),
);

/** The import and export-from statements of a file. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const statements = [...text.matchAll(/^(?:import|export)\s+(type\s)?([^;"']*?from\s+)?["']([^"']+)["']/gm)];
  const dynamic = [...text.matchAll(/\bimport\(\s*["']([^"']+)["']/g)];
  return [
    ...statements.map(([, type, clause = "", target]) => ({
      target: resolve(file, target),
      typeOnly: type !== undefined || isOnlyTypes(clause),
    })),
    ...dynamic.map(([, target]) => ({ target: resolve(file, target), typeOnly: false })),
  ];
}

/** Whether a clause is `{ type A, type B } from`. */
function isOnlyTypes(clause: string): boolean {
  const names = /^\{([^}]*)\}\s*from/
    .exec(clause)?.[1]
    .split(",")
    .map((name) => name.trim());
  return names?.every((name) => name === "" || name.startsWith("type ")) ?? false;
}

function resolve(file: string, target: string): string {
  if (!target.startsWith(".")) return target;
  // AssemblyScript's imports have no extension.
  return `${relative(root, join(root, dirname(file), target))
    .replaceAll("\\", "/")
    .replace(/\.js$/, "")}.ts`;
}

/** Every import as "file -> target", of the files and the targets that the conditions name. */
function edges(
  from: (file: string) => boolean,
  to: (target: string) => boolean,
  { types = true } = {},
): string[] {
  return [...sources].flatMap(([file, imports]) =>
    from(file)
      ? imports
          .filter(({ target, typeOnly }) => to(target) && (types || !typeOnly))
          .map(({ target }) => `${file} -> ${target}`)
      : [],
  );
}

/** A file and all that it brings with it, directly or not, imports of types excepted. */
function reachable(entry: string): string[] {
  const found = new Set([entry]);
  for (const file of found) {
    for (const { target, typeOnly } of sources.get(file) ?? []) if (!typeOnly) found.add(target);
  }
  return [...found];
}

const within =
  (...prefixes: string[]) =>
  (path: string) =>
    prefixes.some((prefix) => path.startsWith(prefix));

describe("this test", () => {
  test("sees the sources and their imports", () => {
    expect(sources.size).toBeGreaterThan(20);
    expect(sources.get("src/losses.ts")).toEqual([
      { target: "src/activations.ts", typeOnly: true },
      { target: "src/check.ts", typeOnly: false },
      { target: "src/dataset.ts", typeOnly: true },
      { target: "src/metrics.ts", typeOnly: true },
      { target: "src/program/builder.ts", typeOnly: false },
      { target: "src/shape.ts", typeOnly: false },
      { target: "src/table.ts", typeOnly: false },
    ]);
    expect(sources.get("src/index.ts")).toContainEqual({ target: "src/network.ts", typeOnly: false });
    expect(edges(within("src/executors/wasm/module.ts"), within("build/"))).toHaveLength(1);
  });

  test("finds every target that it resolves", () => {
    const files = edges(() => true, within("src/", "assembly/")).map((edge) => edge.split(" -> ")[1]);
    expect(files.filter((file) => !sources.has(file))).toEqual([]);
  });
});

describe("the sources", () => {
  /** From the entry down: a file may import what stands further down, and within its own line. */
  const floors = [
    ["src/index.ts", "src/reference.ts"],
    ["src/network.ts", "src/gradients.ts", "src/confusion.ts"],
    ["src/options.ts"],
    ["src/training.ts", "src/evaluation.ts", "src/prediction.ts", "src/summary.ts", "src/steps.ts"],
    ["src/sources.ts"],
    ["src/callbacks/", "src/measuring.ts"],
    ["src/explosion.ts", "src/sweep.ts"],
    ["src/plan.ts"],
    ["src/upload.ts", "src/pacing.ts", "src/whole-steps.ts", "src/entrance.ts", "src/update.ts"],
    ["src/layers/"],
    ["src/optimizers.ts", "src/losses.ts", "src/schedules.ts"],
    ["src/stream.ts"],
    [
      "src/activations.ts",
      "src/dataset.ts",
      "src/store.ts",
      "src/initializers.ts",
      "src/scores.ts",
      "src/metrics.ts",
      "src/penalties.ts",
    ],
    ["src/program/"],
    ["src/residents.ts"],
    ["src/heap.ts"],
    ["src/executors/wasm/", "src/executors/reference/"],
    ["src/executors/executor.ts", "src/executors/environment.ts"],
    ["src/check.ts", "src/pieces.ts", "src/rates.ts", "src/wrapped.ts"],
    ["src/dtype.ts", "src/shape.ts", "src/signal.ts", "src/table.ts"],
    ["src/data/", "build/"],
    ["assembly/index.ts"],
    ["assembly/program.ts"],
    ["assembly/losses.ts", "assembly/rare-losses.ts", "assembly/sparse.ts", "assembly/gemm.ts"],
    ["assembly/curves.ts"],
    ["assembly/activations.ts", "assembly/batches.ts", "assembly/reductions.ts", "assembly/optimizers.ts"],
    ["assembly/noise.ts", "assembly/weights.ts", "assembly/normalization.ts"],
    ["assembly/math.ts", "assembly/random.ts", "assembly/transpose.ts", "assembly/threads.ts"],
    ["assembly/lanes.ts", "assembly/wide.ts"],
    ["assembly/ops.ts"],
  ];

  test("each have a floor", () => {
    for (const file of sources.keys())
      expect(
        floors.filter((files) => within(...files)(file)),
        file,
      ).toHaveLength(1);
  });

  test("import downwards only: index, network, training, plan, layers, tables, program, heap, executors", () => {
    for (const [floor, files] of floors.entries()) {
      const above = within(...floors.slice(0, floor).flat());
      expect(edges(within(...files), above), files.join()).toEqual([]);
    }
  });

  test("name no layer but in its file and in the entry", () => {
    const layers = [...sources.keys()].filter(
      (file) => within("src/layers/")(file) && !["src/layers/layer.ts", "src/layers/base.ts"].includes(file),
    );
    expect(layers).toContain("src/layers/dense.ts");
    const knowing = edges(
      () => true,
      (target) => layers.includes(target),
    ).map((edge) => edge.split(" -> ")[0]);
    expect(new Set(knowing)).toEqual(new Set(["src/index.ts"]));
  });

  test("in assembly import nothing but each other", () => {
    expect(edges(within("assembly/"), (target) => !target.startsWith("assembly/"))).toEqual([]);
    expect(edges(within("assembly/"), within("assembly/")).length).toBeGreaterThan(20);
  });

  test("of executors know no layers, networks, plans or trainings", () => {
    const known = [
      "src/executors/",
      "src/dtype.ts",
      "src/signal.ts",
      "assembly/ops.ts",
      "build/",
      "@assemblyscript/loader",
    ];
    expect(edges(within("src/executors/"), (target) => !within(...known)(target))).toEqual([]);
  });

  test("of one executor know nothing of the other", () => {
    expect(edges(within("src/executors/wasm/"), within("src/executors/reference/"))).toEqual([]);
    expect(edges(within("src/executors/reference/"), within("src/executors/wasm/"))).toEqual([]);
  });

  test("know the WASM executor in the network alone, the reference in its entry alone; the others the interface", () => {
    const kinds = within("src/executors/wasm/", "src/executors/reference/");
    expect(new Set(edges((file) => !kinds(file), kinds))).toEqual(
      new Set([
        "src/network.ts -> src/executors/wasm/executor.ts",
        "src/reference.ts -> src/executors/reference/executor.ts",
      ]),
    );
  });

  test("leave the reference executor out of what who imports wasmgrad downloads, and all else out of wasmgrad/reference", () => {
    const main = reachable("src/index.ts");
    expect(main).toContain("src/executors/wasm/executor.ts");
    expect(main.filter(within("src/reference.ts", "src/executors/reference/"))).toEqual([]);
    const known = within("src/reference.ts", "src/executors/reference/", "assembly/ops.ts");
    const reference = reachable("src/reference.ts");
    expect(reference).toContain("src/executors/reference/program.ts");
    expect(reference.filter((file) => !known(file))).toEqual([]);
  });

  test("of data know nothing of networks, nor networks of them", () => {
    expect(edges(within("src/data/"), (target) => !target.startsWith("src/data/"))).toEqual([]);
    expect(edges((file) => !file.startsWith("src/data/"), within("src/data/"))).toEqual([]);
  });

  test("take of assembly the instruction set alone, and of build the binaries and the worker alone", () => {
    const taken = edges(within("src/"), within("assembly/", "build/")).map((edge) => edge.split(" -> ")[1]);
    expect(new Set(taken)).toEqual(new Set(["assembly/ops.ts", "build/binaries.ts", "build/worker.ts"]));
  });

  test("import nothing of Node, for browsers have none", () => {
    expect(edges(within("src/"), within("node:"))).toEqual([]);
    const builtins = ["fs", "path", "os", "url", "worker_threads", "perf_hooks", "buffer", "util", "events"];
    expect(edges(within("src/"), (target) => builtins.includes(target))).toEqual([]);
  });

  test("import no package but AssemblyScript's loader, which the bundle contains", () => {
    const packages = edges(within("src/"), (target) => !within("src/", "assembly/", "build/")(target));
    expect(new Set(packages.map((edge) => edge.split(" -> ")[1]))).toEqual(
      new Set(["@assemblyscript/loader"]),
    );
  });

  test("import each other without cycles, types excepted", () => {
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      expect(path, `${[...path, file].join(" -> ")} is a cycle`).not.toContain(file);
      if (done.has(file)) return;
      for (const { target, typeOnly } of sources.get(file) ?? []) {
        if (!typeOnly) visit(target, [...path, file]);
      }
      done.add(file);
    };
    for (const file of sources.keys()) visit(file, []);
  });
});

test("the package has no dependencies", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(manifest.dependencies ?? {}).toEqual({});
  expect(manifest.peerDependencies ?? {}).toEqual({});
  expect(manifest.optionalDependencies ?? {}).toEqual({});
});
