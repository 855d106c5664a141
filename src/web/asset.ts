import { hash } from 'node:crypto'
import { mark } from './mark.ts'
import { stylesheet } from './stylesheet.ts'

/** A file that never changes: another content has another name. */
export interface Asset {
  readonly path: string
  readonly mediaType: string
  readonly content: string
}

export const styleAsset = asset('style', 'css', 'text/css; charset=utf-8', stylesheet)
export const markAsset = asset('mark', 'svg', 'image/svg+xml', mark)
export const assets: readonly Asset[] = [styleAsset, markAsset]

function asset(stem: string, extension: string, mediaType: string, content: string): Asset {
  const digest = hash('sha256', content, 'base64url').slice(0, 16)
  return { path: `/assets/${stem}-${digest}.${extension}`, mediaType, content }
}
