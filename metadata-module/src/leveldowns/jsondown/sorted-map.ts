/**
 * A map from bytes to bytes in byte order that never changes: a change gives a new map, which shares all
 * but the path to the changed entry with the old one. So an iterator that keeps a map reads the data of
 * one moment, at no cost. An AVL tree: every change and look-up takes logarithmic time.
 */
import type { Bytes } from './bytes.js';

export interface MapEntry {
  readonly key: Bytes;
  readonly value: Bytes;
}

interface Node extends MapEntry {
  readonly left: Tree;
  readonly right: Tree;
  readonly height: number;
}
type Tree = Node | undefined;

export class SortedMap {
  static readonly empty = new SortedMap(undefined, 0, 0);

  readonly #root: Tree;
  /** Number of entries. */
  readonly size: number;
  /** Bytes of all keys and values. */
  readonly byteLength: number;

  private constructor(root: Tree, size: number, byteLength: number) {
    this.#root = root;
    this.size = size;
    this.byteLength = byteLength;
  }

  /** A map of entries whose keys ascend, in linear time. */
  static fromAscending(entries: readonly MapEntry[]): SortedMap {
    let byteLength = 0;
    for (const { key, value } of entries) byteLength += key.length + value.length;
    return new SortedMap(build(entries, 0, entries.length), entries.length, byteLength);
  }

  get(key: Bytes): Bytes | undefined {
    let node = this.#root;
    while (node !== undefined && node.key !== key) node = key < node.key ? node.left : node.right;
    return node?.value;
  }

  set(key: Bytes, value: Bytes): SortedMap {
    const old = this.get(key);
    const growth = value.length + (old === undefined ? key.length : -old.length);
    return new SortedMap(
      insert(this.#root, key, value),
      this.size + (old === undefined ? 1 : 0),
      this.byteLength + growth,
    );
  }

  delete(key: Bytes): SortedMap {
    const old = this.get(key);
    if (old === undefined) return this;
    return new SortedMap(remove(this.#root, key), this.size - 1, this.byteLength - key.length - old.length);
  }

  /** A cursor before the first entry of its direction. */
  cursor(reverse = false): Cursor {
    return new Cursor(this.#root, reverse);
  }
}

/** Walks one map in one direction. */
export class Cursor {
  readonly #root: Tree;
  readonly #reverse: boolean;
  /** The next entry is on top; below it those after it that lie on the path from the root. */
  #path: Node[] = [];

  constructor(root: Tree, reverse: boolean) {
    this.#root = root;
    this.#reverse = reverse;
    this.#descend(root);
  }

  next(): MapEntry | undefined {
    const node = this.#path.pop();
    if (node !== undefined) this.#descend(this.#reverse ? node.left : node.right);
    return node;
  }

  /** Moves before the first entry at or after `target` in this direction. */
  seek(target: Bytes): void {
    this.#path = [];
    let node = this.#root;
    while (node !== undefined) {
      const reached = this.#reverse ? node.key <= target : node.key >= target;
      if (reached) this.#path.push(node);
      node = reached === this.#reverse ? node.right : node.left;
    }
  }

  #descend(from: Tree): void {
    for (let node = from; node !== undefined; node = this.#reverse ? node.right : node.left) {
      this.#path.push(node);
    }
  }
}

function height(tree: Tree): number {
  return tree === undefined ? 0 : tree.height;
}

function join({ key, value }: MapEntry, left: Tree, right: Tree): Node {
  return { key, value, left, right, height: Math.max(height(left), height(right)) + 1 };
}

/** Joins subtrees whose heights differ by two at most, with one rotation or two where they do. */
function balance(entry: MapEntry, left: Tree, right: Tree): Node {
  if (left !== undefined && left.height > height(right) + 1) {
    const { left: outer, right: inner } = left;
    if (inner === undefined || height(outer) >= inner.height) {
      return join(left, outer, join(entry, inner, right));
    }
    return join(inner, join(left, outer, inner.left), join(entry, inner.right, right));
  }
  if (right !== undefined && right.height > height(left) + 1) {
    const { left: inner, right: outer } = right;
    if (inner === undefined || height(outer) >= inner.height) {
      return join(right, join(entry, left, inner), outer);
    }
    return join(inner, join(entry, left, inner.left), join(right, inner.right, outer));
  }
  return join(entry, left, right);
}

function insert(tree: Tree, key: Bytes, value: Bytes): Node {
  if (tree === undefined) return { key, value, left: undefined, right: undefined, height: 1 };
  if (key === tree.key) return { key, value, left: tree.left, right: tree.right, height: tree.height };
  return key < tree.key
    ? balance(tree, insert(tree.left, key, value), tree.right)
    : balance(tree, tree.left, insert(tree.right, key, value));
}

function remove(tree: Tree, key: Bytes): Tree {
  if (tree === undefined) return undefined;
  const { left, right } = tree;
  if (key < tree.key) return balance(tree, remove(left, key), right);
  if (key > tree.key) return balance(tree, left, remove(right, key));
  if (left === undefined) return right;
  if (right === undefined) return left;
  const successor = first(right);
  return balance(successor, left, remove(right, successor.key));
}

function first(tree: Node): Node {
  let node = tree;
  while (node.left !== undefined) node = node.left;
  return node;
}

function build(entries: readonly MapEntry[], from: number, to: number): Tree {
  const middle = (from + to) >>> 1;
  const entry = entries[middle];
  if (from >= to || entry === undefined) return undefined;
  return join(entry, build(entries, from, middle), build(entries, middle + 1, to));
}
