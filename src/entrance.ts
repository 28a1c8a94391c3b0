// The way into a network: what the gathering of a batch does in place of the first layers. Those that only change the
// shape cost nothing then, a scale is that of the gathering, and means and factors of columns are applied to the row just
// gathered.

import type { Description, Layer } from "./layers/layer.js";

export interface Entrance {
  /** So many first layers are done by the gathering. */
  readonly folded: number;
  /** Factor of the inputs: inputScale, and that of a Rescaling. */
  readonly scale: number;
  /** The layer among them that has a mean and a factor for each column. */
  readonly columns: Layer | undefined;
  /** Whether the first layer behind takes the inputs without their zeros. */
  readonly takesSparse: boolean;
  /** The inputs are integers from 0 to below this. */
  readonly indices: number | undefined;
}

export function entranceOf(
  layers: readonly Layer[],
  descriptions: readonly Description[],
  inputScale: number,
): Entrance {
  let scale = inputScale;
  let columns: Layer | undefined;
  let folded = 0;
  for (const { folds } of descriptions) {
    // Behind the columns only what leaves the values as they are.
    if (!folds || (columns && (folds.columns || folds.scale !== 1))) break;
    scale *= folds.scale;
    if (folds.columns) columns = layers[folded];
    folded++;
  }
  const first = descriptions[folded];
  const embedding = descriptions.findLastIndex(({ indices }) => indices !== undefined);
  if (embedding >= 0 && (embedding !== folded || columns || scale !== 1)) {
    throw new RangeError(
      `layers[${embedding}] is an Embedding, which takes indices as they are: make it the first layer, without inputScale, ` +
        "Rescaling or Normalization",
    );
  }
  return {
    folded,
    scale,
    columns,
    takesSparse: !!first?.takesSparse && !columns,
    indices: first?.indices,
  };
}
