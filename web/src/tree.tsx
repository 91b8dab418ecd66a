// The folders of a root, loaded as they are opened.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Folder, foldersIn } from "./library";
import { nameOf, shown } from "./paths";
import { gridAddress } from "./router";

interface TreeProps {
  root: string;
  /** The open folder, relative to the root; null: everything. */
  open: string | null;
}

export function Tree({ root, open }: TreeProps): JSX.Element {
  return (
    <nav class="tree" aria-label="Folders">
      <ul>
        <li>
          <a href={gridAddress(root)} aria-current={open === null ? "page" : undefined}>
            Everything in {shown(nameOf(root))}
          </a>
        </li>
        <li>
          <a href={gridAddress(root, { d: "." })} aria-current={open === "" ? "page" : undefined}>
            Only {shown(nameOf(root))} itself
          </a>
        </li>
      </ul>
      <Branch root={root} path={root} open={open} />
    </nav>
  );
}

function Branch({ root, path, open }: TreeProps & { path: string }): JSX.Element | null {
  const [inside, setInside] = useState<readonly Folder[] | null>(null);
  useEffect(() => {
    foldersIn(path).then(
      (told) => setInside(told.folders),
      () => setInside([]),
    );
  }, [path]);
  if (!inside?.length) return null;
  return (
    <ul>
      {inside.map((folder) => (
        <Leaf key={folder.path} root={root} folder={folder} open={open} />
      ))}
    </ul>
  );
}

function Leaf({ root, folder, open }: { root: string; folder: Folder; open: string | null }): JSX.Element {
  const relative = folder.path.slice(root.length + 1);
  const [wide, setWide] = useState(open !== null && open.startsWith(`${relative}/`));
  return (
    <li>
      <span class="leaf">
        {folder.has_children ? (
          <button
            type="button"
            class="twist"
            aria-expanded={wide}
            aria-label={`Folders in ${shown(folder.name)}`}
            onClick={() => setWide(!wide)}
          >
            {wide ? "▾" : "▸"}
          </button>
        ) : (
          <span class="twist" />
        )}
        <a href={gridAddress(root, { d: relative })} aria-current={open === relative ? "page" : undefined}>
          {shown(folder.name)}
        </a>
      </span>
      {wide ? <Branch root={root} path={folder.path} open={open} /> : null}
    </li>
  );
}
