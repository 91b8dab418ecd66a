// NDJSON, as it comes: whole lines out of pieces of text.

export class LineCutter {
  private rest = "";

  /** The objects of the lines that are complete now. */
  push(text: string): unknown[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as unknown);
  }
}

/** The objects of a body, in the pieces in which they arrive. A body that breaks off throws. */
export async function* linesOf(answer: Response): AsyncGenerator<unknown[]> {
  if (!answer.body) return;
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const cutter = new LineCutter();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      const found = cutter.push(done ? decoder.decode() : decoder.decode(value, { stream: true }));
      if (found.length) yield found;
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
