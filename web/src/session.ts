// Who this page is to the server: a key that was entered, or a caller on the same machine.
import { signal } from "@preact/signals";
import { again, json, needsKey, Refused } from "./api";

export interface Session {
  name: string;
  scopes: string[];
}

export const session = signal<Session | null>(null);

let settle: () => void;
/** When the server has said who this is: what always needs a key waits for it. */
export const asked = new Promise<void>((resolve) => {
  settle = resolve;
});

/** Sign in with a key, or without one: then it is the cookie of before, or this very machine. */
export async function signIn(key?: string): Promise<void> {
  try {
    session.value = await json<Session>("POST", "/api/session", key ? { headers: { "X-Api-Key": key } } : {});
    needsKey.value = false;
    if (key) again();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) needsKey.value = true;
    throw error;
  } finally {
    settle();
  }
}

export async function signOut(): Promise<void> {
  await fetch("/api/session", { method: "DELETE", credentials: "same-origin" });
  session.value = null;
  await signIn().catch(() => undefined);
  again();
}

export const may = (scope: string): boolean =>
  session.value !== null && (session.value.scopes.includes(scope) || session.value.scopes.includes("admin"));
