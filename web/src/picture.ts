// Where a picture is had in the size that a large view wants.
import { fileUrl, thumbnailUrl } from "./library";

/** What browsers draw by themselves; of the rest the server has a picture. */
export const DRAWN = /\.(?:jpe?g|png|gif|webp|avif|bmp)$/i;
export const LARGEST_THUMBNAIL = 1024;

export const pictureUrl = (path: string): string =>
  DRAWN.test(path) ? fileUrl(path) : thumbnailUrl(path, LARGEST_THUMBNAIL);
