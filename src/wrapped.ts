// What other tools meet when they look at our objects: Node's console, and proxies that wrap them.

/** The method that Node's console.log calls. */
export const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The error for a method called on a proxy of an object, which does not reach the object's private fields. */
export function notItself(name: string): TypeError {
  return new TypeError(
    `this is not a ${name}, but perhaps a Proxy of one, e.g. of Vue's reactive(): call methods of the ${name} itself, see markRaw()`,
  );
}
