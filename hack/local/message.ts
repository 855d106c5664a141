import type { ProgressEvent } from './progress.ts'

/** What the supervisor tells the command that started it. */
export type Message =
  | { readonly kind: 'progress'; readonly event: ProgressEvent }
  | { readonly kind: 'ready'; readonly addresses: string }
  | { readonly kind: 'failed'; readonly why: string }
