// The item in the middle of a review: a picture that was fetched before it was asked for, or a video.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useKeys } from "./keyboard";
import { fileUrl, thumbnailUrl } from "./library";
import { nameOf } from "./paths";
import { LARGEST_THUMBNAIL } from "./picture";
import { pictures } from "./pictures";
import { described } from "./tile";
import { say } from "./toasts";
import type { Row } from "./types";
import { Button, Icon } from "./ui";
import { videoAhead } from "./videos";

/** Between two presses of "back" that mean the start. */
const TWICE_MS = 400;

const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 3, 4] as const;

export interface Swipes {
  left: () => void;
  right: () => void;
  up: () => void;
  down: () => void;
}

interface StageProps {
  row: Row;
  /** The next, the one after it, the one before. */
  near: readonly (Row | undefined)[];
  swipes: Swipes;
  onNext: () => void;
}

export function Stage({ row, near, swipes, onNext }: StageProps): JSX.Element {
  useEffect(() => {
    // Behind the one in sight: it comes first.
    const timer = setTimeout(() => {
      pictures.ahead(near);
      videoAhead(near.slice(0, 2));
    }, 0);
    return () => clearTimeout(timer);
  }, [row.path, near[0]?.path, near[1]?.path, near[2]?.path]);
  return row.video ? <Video key={row.path} row={row} onNext={onNext} /> : <Picture row={row} swipes={swipes} />;
}

const SWIPE_PX = 60;

function Picture({ row, swipes }: { row: Row; swipes: Swipes }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  const [tries, setTries] = useState(0);
  const [zoomed, setZoomed] = useState(false);
  /** Of the picture, in the middle of the view; the same in every picture. */
  const middle = useRef({ x: 0.5, y: 0.5 });

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const image = pictures.of(row.path);
    image.alt = described(row);
    setFailed(false);
    const check = (): void => setFailed(image.complete && image.naturalWidth === 0 && image.onerror === null);
    image.addEventListener("load", check);
    image.addEventListener("error", check);
    element.replaceChildren(image);
    if (image.complete && image.onerror === null) check();
    return () => {
      image.removeEventListener("load", check);
      image.removeEventListener("error", check);
    };
  }, [row.path, tries]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !zoomed) return undefined;
    const place = (): void => {
      element.scrollLeft = middle.current.x * element.scrollWidth - element.clientWidth / 2;
      element.scrollTop = middle.current.y * element.scrollHeight - element.clientHeight / 2;
    };
    const image = element.querySelector("img");
    let file: HTMLImageElement | null = null;
    // A picture as small as the screen stands in, as large as the file, until the file is there.
    const enlarge = (): void => {
      const size = pictures.sizeOf(row.path);
      if (!image || !size || file) return;
      const whole = (file = new Image());
      Object.assign(image.style, { width: `${size.width}px`, height: `${size.height}px`, objectFit: "fill" });
      whole.alt = image.alt;
      whole.draggable = false;
      whole.src = fileUrl(row.path);
      whole.decode().then(
        () => {
          if (!image.isConnected) return;
          image.replaceWith(whole);
          place();
        },
        () => undefined,
      );
    };
    const sized = (): void => {
      enlarge();
      place();
    };
    image?.addEventListener("load", sized);
    enlarge();
    place();
    const note = (): void => {
      middle.current = {
        x: (element.scrollLeft + element.clientWidth / 2) / element.scrollWidth,
        y: (element.scrollTop + element.clientHeight / 2) / element.scrollHeight,
      };
    };
    element.addEventListener("scroll", note);
    return () => {
      image?.removeEventListener("load", sized);
      element.removeEventListener("scroll", note);
      if (!image || !file) return;
      Object.assign(image.style, { width: "", height: "", objectFit: "" });
      if (file.isConnected) file.replaceWith(image);
      file = null;
    };
  }, [zoomed, row.path]);

  useKeys({ zoom: () => setZoomed(!zoomed) });

  const touch = useRef<{ x: number; y: number; left: number; top: number } | null>(null);
  const onPointerDown = (event: PointerEvent): void => {
    const element = box.current;
    if (!element || !event.isPrimary) return;
    touch.current = { x: event.clientX, y: event.clientY, left: element.scrollLeft, top: element.scrollTop };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const element = box.current;
    const from = touch.current;
    if (!element || !from || !zoomed || event.pointerType === "touch") return;
    element.scrollLeft = from.left - (event.clientX - from.x);
    element.scrollTop = from.top - (event.clientY - from.y);
  };
  const onPointerUp = (event: PointerEvent): void => {
    const from = touch.current;
    touch.current = null;
    if (!from || zoomed || event.pointerType !== "touch") return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    if (Math.max(Math.abs(x), Math.abs(y)) < SWIPE_PX) return;
    if (Math.abs(x) > Math.abs(y)) (x < 0 ? swipes.left : swipes.right)();
    else {
      navigator.vibrate?.(15);
      (y < 0 ? swipes.up : swipes.down)();
    }
  };
  const onDblClick = (event: MouseEvent): void => {
    const image = box.current?.querySelector("img");
    if (image && !zoomed) {
      const seen = image.getBoundingClientRect();
      middle.current = { x: (event.clientX - seen.left) / seen.width, y: (event.clientY - seen.top) / seen.height };
    }
    setZoomed(!zoomed);
  };

  return (
    <>
      <div
        ref={box}
        class={`stage ${zoomed ? "zoomed" : ""} ${failed ? "hidden" : ""}`}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={() => (touch.current = null)}
        onDblClick={onDblClick}
      />
      {failed ? (
        <div class="stage unreadable">
          <Icon name="warning" />
          <p>Can't read this file</p>
          <div class="row-of-buttons">
            <Button
              onClick={() => {
                pictures.forget(row.path);
                setTries(tries + 1);
              }}
            >
              Retry
            </Button>
            <a class="button plain" href={fileUrl(row.path)} target="_blank" rel="noreferrer">
              Open original
            </a>
          </div>
        </div>
      ) : null}
    </>
  );
}

function Video({ row, onNext }: { row: Row; onNext: () => void }): JSX.Element {
  const video = useRef<HTMLVideoElement>(null);
  const [failed, setFailed] = useState(false);
  const [speed, setSpeed] = useState(1);
  const backAt = useRef(0);

  const on = (work: (element: HTMLVideoElement) => void) => () => {
    if (video.current) work(video.current);
  };
  const seek = (by: number): (() => void) =>
    on((element) => {
      element.currentTime = Math.max(0, Math.min(element.duration || Infinity, element.currentTime + by));
    });
  const setTo = (rate: number): (() => void) =>
    on((element) => {
      element.playbackRate = rate;
      setSpeed(rate);
      say(`Speed ${rate}`);
    });
  const shift = (by: 1 | -1): (() => void) =>
    on((element) => {
      const now = SPEEDS.findIndex((rate) => rate >= element.playbackRate);
      const rate = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (now < 0 ? SPEEDS.length - 1 : now) + by))];
      if (rate !== undefined) setTo(rate)();
    });
  const frame = (by: 1 | -1): (() => void) =>
    on((element) => {
      element.pause();
      seek(by / 30)();
    });
  useKeys(
    {
      play: on((element) => {
        if (element.paused) void element.play().catch(() => undefined);
        else element.pause();
      }),
      back: () => {
        const twice = Date.now() - backAt.current < TWICE_MS;
        backAt.current = Date.now();
        if (twice) seek(-Infinity)();
        else seek(-5)();
      },
      forward: seek(5),
      frameBack: frame(-1),
      frameForward: frame(1),
      slower: shift(-1),
      faster: shift(1),
      speed1: setTo(1),
      speed2: setTo(2),
      speed3: setTo(3),
      speed4: setTo(4),
      speed5: setTo(0.5),
      speed6: setTo(0.25),
    },
    false,
    !failed,
  );
  if (failed) {
    return (
      <div class="stage unreadable">
        <img src={thumbnailUrl(row.path, LARGEST_THUMBNAIL)} alt={described(row)} />
        <p>Your browser can't play this {nameOf(row.path).split(".").at(-1)?.toUpperCase()} file.</p>
        <div class="row-of-buttons">
          <a class="button plain" href={fileUrl(row.path)} target="_blank" rel="noreferrer">
            Open original
          </a>
          <Button onClick={onNext}>Next</Button>
        </div>
      </div>
    );
  }
  return (
    <div class="stage">
      <video
        ref={video}
        src={fileUrl(row.path)}
        poster={thumbnailUrl(row.path, LARGEST_THUMBNAIL)}
        controls
        playsInline
        preload="metadata"
        aria-label={described(row)}
        onError={() => setFailed(true)}
      />
      {speed === 1 ? null : <span class="speed">{speed}×</span>}
    </div>
  );
}
