/** What happens now, told to whoever watches: a terminal, a log, or the process that started this one. */
export interface Progress {
  /** A step that takes time begins. */
  start(title: string): void
  /** More about the step that runs: "412 of 2,380 packages". */
  detail(text: string): void
  /** The step that runs is done. */
  done(summary?: string): void
  /** A line, or several, of their own. */
  say(text: string): void
}

export type ProgressEvent = { [K in keyof Progress]: { kind: K; text: string } }[keyof Progress]

const HEARTBEAT_MS = 15_000
const FRAME_MS = 120
const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'

/** Runs a step and tells of its begin and its end. */
export async function step<T>(
  progress: Progress,
  title: string,
  run: () => Promise<T>,
  summary?: (result: T) => string,
): Promise<T> {
  progress.start(title)
  const result = await run()
  progress.done(summary?.(result))
  return result
}

/** Progress that goes elsewhere as events. */
export function forwardProgress(send: (event: ProgressEvent) => void): Progress {
  return {
    start: (text) => send({ kind: 'start', text }),
    detail: (text) => send({ kind: 'detail', text }),
    done: (text = '') => send({ kind: 'done', text }),
    say: (text) => send({ kind: 'say', text }),
  }
}

/** Plays an event from elsewhere on a progress of this process. */
export function replayProgress(progress: Progress, event: ProgressEvent): void {
  progress[event.kind](event.text)
}

/** Progress on stderr, so that stdout stays for results: one moving line on a terminal, plain lines elsewhere. */
export function terminalProgress(
  stream: NodeJS.WriteStream = process.stderr,
): Progress & { fail(): void } {
  const moving = stream.isTTY
  let title = ''
  let detail = ''
  let startedAt = 0
  let timer: NodeJS.Timeout | undefined
  let frame = 0

  const line = (): string => `${title}${detail && ` · ${detail}`} · ${elapsed(startedAt)}`
  const beat = (): void => {
    if (!moving) return void stream.write(`  … ${line()}\n`)
    frame = (frame + 1) % FRAMES.length
    const width = (stream.columns ?? 80) - 4
    stream.write(`\r\x1b[K${FRAMES[frame]} ${line().slice(0, width)}`)
  }
  const end = (mark: string, text: string): void => {
    if (timer === undefined) return
    clearInterval(timer)
    timer = undefined
    stream.write(`${moving ? '\r\x1b[K' : ''}${mark} ${text}\n`)
  }

  return {
    start(text) {
      end('✓', `${title} · ${elapsed(startedAt)}`)
      title = text
      detail = ''
      startedAt = Date.now()
      timer = setInterval(beat, moving ? FRAME_MS : HEARTBEAT_MS)
      timer.unref()
      if (moving) beat()
    },
    detail(text) {
      detail = text
    },
    done(summary) {
      end('✓', `${title}${summary ? ` · ${summary}` : ''} · ${elapsed(startedAt)}`)
    },
    say(text) {
      if (moving && timer !== undefined) stream.write('\r\x1b[K')
      stream.write(`${text}\n`)
    },
    fail() {
      end('✗', `${title} · ${elapsed(startedAt)}`)
    },
  }
}

/** "4.2 s" or "3 min 12 s" since `startedAt`. */
export function elapsed(startedAt: number, now = Date.now()): string {
  const seconds = (now - startedAt) / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
}
