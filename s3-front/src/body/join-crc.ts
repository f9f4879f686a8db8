/** The CRC of two texts one after the other, from the CRC of each. */

/**
 * A CRC is linear: that of the first, moved on over as many zero bytes as the second is long, XOR that of the second.
 * Moving on by one bit is a linear map, given by what it makes of each bit; moving on further is its powers.
 * @param polynomial with the bits reversed
 * @param length of the second text, in bytes
 */
export function joinCrc(polynomial: bigint, first: Buffer, second: Buffer, length: number): Buffer {
  const bits = first.length * 8;
  // Over one zero bit: shifted right, and the polynomial where a bit falls out.
  let step = Array.from({ length: bits }, (_, bit) => (bit === 0 ? polynomial : 1n << BigInt(bit - 1)));
  for (let power = 0; power < 3; power += 1) step = twice(step);
  let moved = read(first);
  for (let left = length; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) moved = apply(step, moved);
    step = twice(step);
  }
  return write(moved ^ read(second), first.length);
}

function apply(map: readonly bigint[], value: bigint): bigint {
  let result = 0n;
  for (let bit = 0, left = value; left > 0n; bit += 1, left >>= 1n) {
    if ((left & 1n) === 1n) result ^= map[bit] ?? 0n;
  }
  return result;
}

function twice(map: readonly bigint[]): bigint[] {
  return map.map(value => apply(map, value));
}

function read(crc: Buffer): bigint {
  return BigInt(`0x${crc.toString('hex')}`);
}

function write(value: bigint, bytes: number): Buffer {
  return Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex');
}
