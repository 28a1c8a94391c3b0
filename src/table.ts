// Tables of rows by name, whose keys are the names that users write.

/** A table of rows of type R. Its own type has the names, and of a row only what R says of all. */
export const rowsOf =
  <R>() =>
  <K extends string>(rows: Record<K, R>): Readonly<Record<K, R>> =>
    rows;

/** The names of a table. */
export function namesOf<K extends string>(table: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(table) as K[];
}
