// Paths as the server prints them: bytes that are no UTF-8 are lone surrogates, U+DC80 to U+DCFF.

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** A path in a query or a hash: `encodeURIComponent` throws on what stands for a byte that is no UTF-8. */
export function quoted(path: string): string {
  return path.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\s\S]/g, (letter) => {
    const code = letter.charCodeAt(0);
    if (letter.length === 1 && code >= 0xdc80 && code <= 0xdcff)
      return `%${(code - 0xdc00).toString(16).toUpperCase()}`;
    if (letter.length === 1 && code >= 0xd800 && code <= 0xdfff) return "%EF%BF%BD";
    return letter === "/" ? letter : encodeURIComponent(letter);
  });
}

/** What `quoted` wrote. */
export function unquoted(text: string): string {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let at = 0; at < text.length;) {
    if (text[at] === "%" && /^[0-9a-fA-F]{2}$/.test(text.slice(at + 1, at + 3))) {
      bytes.push(parseInt(text.slice(at + 1, at + 3), 16));
      at += 3;
    } else {
      const letter = String.fromCodePoint(text.codePointAt(at) ?? 0xfffd);
      bytes.push(...encoder.encode(letter));
      at += letter.length;
    }
  }
  return decoded(Uint8Array.from(bytes));
}

/** UTF-8 with every byte that is none as a lone surrogate, as Python's `surrogateescape` does. */
function decoded(bytes: Uint8Array): string {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return strict.decode(bytes);
  } catch {
    let text = "";
    for (let at = 0; at < bytes.length;) {
      const first = bytes[at] ?? 0;
      const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
      try {
        text += strict.decode(bytes.subarray(at, at + length));
        at += length;
      } catch {
        text += String.fromCharCode(0xdc00 + first);
        at += 1;
      }
    }
    return text;
  }
}

/** For people: no lone surrogates. */
export function shown(text: string): string {
  return text.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g, (found) =>
    found.length === 2 ? found : "\uFFFD",
  );
}
