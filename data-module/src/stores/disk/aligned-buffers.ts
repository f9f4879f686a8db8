/** Memory for reads and writes past the page cache of the system: it must begin where a page does. */

const SLAB_BUFFERS = 16;

/** A part of a slab, held by whoever took it and by the system while a call uses it. The last to let go gives it back. */
export class Lease {
  readonly bytes: Buffer;
  readonly #giveBack: () => void;
  #holders = 1;

  constructor(bytes: Buffer, giveBack: () => void) {
    this.bytes = bytes;
    this.#giveBack = giveBack;
  }

  hold(): void {
    this.#holders += 1;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#giveBack();
  }
}

interface Slab {
  readonly free: Buffer[];
}

/** Buffers of one size that are used again. It holds as many as were taken at once, in slabs, and lets go all that are not in use but one. */
export class AlignedBuffers {
  readonly #size: number;
  readonly #slabs: Slab[] = [];

  /** @param size a multiple of the largest page */
  constructor(size: number) {
    this.#size = size;
  }

  /** Of all slabs, used or not. */
  get heldBytes(): number {
    return this.#slabs.length * SLAB_BUFFERS * this.#size;
  }

  get lent(): number {
    return this.#slabs.reduce((sum, { free }) => sum + SLAB_BUFFERS - free.length, 0);
  }

  take(): Lease {
    for (const slab of this.#slabs) {
      const bytes = slab.free.pop();
      if (bytes !== undefined) return this.#lease(slab, bytes);
    }
    const whole = alignedMemory(SLAB_BUFFERS * this.#size);
    const free = Array.from({ length: SLAB_BUFFERS }, (_, n) =>
      whole.subarray(n * this.#size, (n + 1) * this.#size),
    );
    const [first, ...others] = free;
    if (first === undefined) throw new Error('a slab without buffers');
    const slab = { free: others };
    this.#slabs.push(slab);
    return this.#lease(slab, first);
  }

  #lease(slab: Slab, bytes: Buffer): Lease {
    return new Lease(bytes, () => {
      slab.free.push(bytes);
      const idle = this.#slabs.filter(({ free }) => free.length === SLAB_BUFFERS);
      // One stays: the system clears the pages of each new one.
      if (idle.length > 1) this.#slabs.splice(this.#slabs.indexOf(slab), 1);
    });
  }
}

/** As far as it is used here; Node.js' own types leave it out. */
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};

const WASM_PAGE_BYTES = 65_536;

/** The one kind of memory that Node.js aligns. Where there is none, such as under a limit of address space, any: the system refuses it. */
function alignedMemory(size: number): Buffer {
  const pages = size / WASM_PAGE_BYTES;
  try {
    return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
  } catch {
    return Buffer.allocUnsafeSlow(size);
  }
}
