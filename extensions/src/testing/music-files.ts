/** Small music files with tags, made byte by byte. */

/** An MP3 with an ID3v2.3 tag, `padding` bytes of it unused, and some frames of silence. */
export function mp3({ artist, padding = 0 }: { artist?: string; padding?: number }): Buffer {
  const frames = artist === undefined ? [id3Frame('TIT2', 'title')] : [id3Frame('TPE1', artist)];
  const body = Buffer.concat([...frames, Buffer.alloc(padding)]);
  const header = Buffer.concat([Buffer.from('ID3'), Buffer.from([3, 0, 0]), syncSafe(body.length)]);
  // MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame.
  const frame = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.alloc(413)]);
  return Buffer.concat([header, body, ...Array.from({ length: 20 }, () => frame)]);
}

/** A FLAC file with a Vorbis comment and `sound` bytes after it. */
export function flac({ artist, sound = 1000 }: { artist: string; sound?: number }): Buffer {
  const streamInfo = Buffer.alloc(34);
  streamInfo.writeUInt16BE(4096, 0);
  streamInfo.writeUInt16BE(4096, 2);
  streamInfo.writeUInt32BE(0x0ac442f0, 10);
  const comment = Buffer.from(`ARTIST=${artist}`);
  const comments = Buffer.concat([
    uint32(4),
    Buffer.from('test'),
    uint32(1),
    uint32(comment.length),
    comment,
  ]);
  const block = (type: number, data: Buffer): Buffer => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE((type << 24) | data.length, 0);
    return Buffer.concat([header, data]);
  };
  const last = block(4, comments);
  last.writeUInt8(0x84, 0);
  return Buffer.concat([Buffer.from('fLaC'), block(0, streamInfo), last, Buffer.alloc(sound)]);
}

function id3Frame(id: string, text: string): Buffer {
  const content = Buffer.concat([Buffer.from([1, 0xff, 0xfe]), Buffer.from(text, 'utf16le')]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(content.length);
  return Buffer.concat([Buffer.from(id), size, Buffer.alloc(2), content]);
}

function syncSafe(size: number): Buffer {
  return Buffer.from([21, 14, 7, 0].map(shift => (size >> shift) & 0x7f));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
