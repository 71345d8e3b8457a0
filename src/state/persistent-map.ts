/**
 * A persistent map from non-negative integers to values: a radix trie with 32 children a node. Setting a key copies the
 * nodes on its path and shares the rest, so a version costs as much as it changes, and two versions are compared by
 * walking only where they differ.
 *
 * `undefined` stands for absent; setting it removes the key. Keys go up to 2^30 - 1.
 */

const BITS = 5;
const WIDTH = 1 << BITS;
const MASK = WIDTH - 1;
const MAX_KEY = 2 ** 30 - 1;

type Node<V> = readonly (Node<V> | V | undefined)[];

export class PersistentMap<V> {
  /** Root node, or undefined when empty. Keys below 32 ** depth fit. */
  readonly #root: Node<V> | undefined;
  readonly #depth: number;

  private constructor(root: Node<V> | undefined, depth: number) {
    this.#root = root;
    this.#depth = depth;
  }

  static readonly #empty: PersistentMap<never> = new PersistentMap<never>(undefined, 1);

  static empty<V>(): PersistentMap<V> {
    return PersistentMap.#empty as unknown as PersistentMap<V>;
  }

  get(key: number): V | undefined {
    let node: Node<V> | undefined = this.#root;
    if (node === undefined || key >>> (this.#depth * BITS) !== 0) return undefined;
    for (let shift = (this.#depth - 1) * BITS; shift > 0; shift -= BITS) {
      node = node[(key >>> shift) & MASK] as Node<V> | undefined;
      if (node === undefined) return undefined;
    }
    return node[key & MASK] as V | undefined;
  }

  /** The map with `key` set (removed, if `value` is undefined); the same map when nothing changes. */
  set(key: number, value: V | undefined): PersistentMap<V> {
    checkKey(key);
    return this.get(key) === value ? this : this.setAll([key], [value]);
  }

  /** The map with many keys set, in strictly ascending order: each node on the way is copied once. */
  setAll(keys: readonly number[], values: readonly (V | undefined)[]): PersistentMap<V> {
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]!;
      checkKey(key);
      if (index > 0 && key <= keys[index - 1]!) throw new RangeError("PersistentMap: keys are not in ascending order");
    }
    const last = keys.at(-1);
    if (last === undefined) return this;
    let root = this.#root;
    let depth = this.#depth;
    for (; last >>> (depth * BITS) !== 0; depth++) {
      if (root === undefined) continue;
      const parent = new Array<Node<V> | V | undefined>(WIDTH).fill(undefined);
      parent[0] = root;
      root = parent;
    }
    return new PersistentMap(setIn(root, (depth - 1) * BITS, keys, values, 0, keys.length), depth);
  }

  /** Keys and values in ascending order of keys. */
  *entries(): IterableIterator<[number, V]> {
    if (this.#root !== undefined) yield* entriesOf<V>(this.#root, (this.#depth - 1) * BITS, 0);
  }

  /** Calls `visit` for every key whose value is not the identical one in both maps, in ascending order. */
  static compare<V>(
    a: PersistentMap<V>,
    b: PersistentMap<V>,
    visit: (key: number, inA: V | undefined, inB: V | undefined) => void,
  ): void {
    const depth = Math.max(a.#depth, b.#depth);
    compareNodes(raise(a.#root, a.#depth, depth), raise(b.#root, b.#depth, depth), (depth - 1) * BITS, 0, visit);
  }

  /**
   * Folds the trie bottom up. `leaf` may answer undefined for a value that counts as absent; a node without children is
   * not folded, and a root with nothing but its first child is that child: maps of equal content fold alike whatever
   * their history. `seen` remembers nodes, so that versions which share them fold them once.
   */
  fold<R extends object>(
    leaf: (value: V) => R | undefined,
    node: (children: readonly (R | undefined)[], height: number) => R,
    seen: WeakMap<object, R | typeof ABSENT>,
  ): R | undefined {
    const visit = (item: Node<V>, height: number): R | undefined => {
      const known = seen.get(item);
      if (known !== undefined) return known === ABSENT ? undefined : (known as R);
      const children = Array.from({ length: WIDTH }, (_, index) => {
        const child = item[index];
        if (child === undefined) return undefined;
        return height === 1 ? leaf(child as V) : visit(child as Node<V>, height - 1);
      });
      const result = children.every((child) => child === undefined) ? undefined : node(children, height);
      seen.set(item, result ?? ABSENT);
      return result;
    };
    let root = this.#root;
    let height = this.#depth;
    while (root !== undefined && height > 1) {
      const [first, ...others] = root as readonly (Node<V> | undefined)[];
      if (others.some((child) => child !== undefined && visit(child, height - 1) !== undefined)) break;
      root = first;
      height--;
    }
    return root === undefined ? undefined : visit(root, height);
  }
}

/** Remembered for nodes that hold nothing but values which count as absent. */
export const ABSENT = Object.freeze({});

function checkKey(key: number): void {
  if (Number.isInteger(key) && key >= 0 && key <= MAX_KEY) return;
  throw new RangeError(`PersistentMap: key ${key} is not an integer from 0 to ${MAX_KEY}`);
}

/** `node` with the keys from index `from` up to `to`, all of which lie below it, set. */
function setIn<V>(
  node: Node<V> | undefined,
  shift: number,
  keys: readonly number[],
  values: readonly (V | undefined)[],
  from: number,
  to: number,
): Node<V> | undefined {
  const copy = node === undefined ? new Array<Node<V> | V | undefined>(WIDTH).fill(undefined) : node.slice();
  let removed = false;
  for (let at = from; at < to; ) {
    const index = (keys[at]! >>> shift) & MASK;
    let child: Node<V> | V | undefined;
    if (shift === 0) child = values[at++];
    else {
      const start = at;
      const prefix = keys[at]! >>> shift;
      while (at < to && keys[at]! >>> shift === prefix) at++;
      child = setIn(copy[index] as Node<V> | undefined, shift - BITS, keys, values, start, at);
    }
    copy[index] = child;
    removed ||= child === undefined;
  }
  // A node without children is no node, so that equal maps have equal shapes.
  return removed && copy.every((item) => item === undefined) ? undefined : copy;
}

function* entriesOf<V>(node: Node<V>, shift: number, prefix: number): IterableIterator<[number, V]> {
  for (let index = 0; index < WIDTH; index++) {
    const child = node[index];
    if (child === undefined) continue;
    const key = prefix + index * 2 ** shift;
    if (shift === 0) yield [key, child as V];
    else yield* entriesOf<V>(child as Node<V>, shift - BITS, key);
  }
}

function raise<V>(root: Node<V> | undefined, from: number, to: number): Node<V> | undefined {
  for (let depth = from; depth < to && root !== undefined; depth++) root = [root];
  return root;
}

function compareNodes<V>(
  a: Node<V> | undefined,
  b: Node<V> | undefined,
  shift: number,
  prefix: number,
  visit: (key: number, inA: V | undefined, inB: V | undefined) => void,
): void {
  if (a === b) return;
  for (let index = 0; index < WIDTH; index++) {
    const inA = a?.[index];
    const inB = b?.[index];
    if (inA === inB) continue;
    const key = prefix + index * 2 ** shift;
    if (shift === 0) visit(key, inA as V | undefined, inB as V | undefined);
    else compareNodes(inA as Node<V> | undefined, inB as Node<V> | undefined, shift - BITS, key, visit);
  }
}
