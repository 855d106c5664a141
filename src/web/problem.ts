import { html } from './html.ts'
import { entrancePage } from './layout.ts'

/** What a browser is shown of a problem, by its status: what happened, and what to do now. */
const sentences: Readonly<Record<number, readonly [title: string, advice: string]>> = {
  400: [
    'This request makes no sense',
    'Go back and try again. If it goes on, start from signing in.',
  ],
  401: ['You are not signed in any more', 'Sign in again, and go on from there.'],
  403: [
    'This is not allowed',
    'Your browser did not say that the request came from these pages, or you lack a permission. Go back, load the page again and try once more.',
  ],
  404: ['There is nothing here', 'The address may be mistyped, or what was here is gone.'],
  405: ['This is not how this page is used', 'Go back and try again.'],
  413: ['That was too much', 'What you sent is larger than what these pages take.'],
  415: ['This request makes no sense', 'These pages take only what their own forms send.'],
  421: [
    'These pages are not at this address',
    'They have another address than the one that your browser asked for. Ask whoever gave it to you for the right one.',
  ],
  429: ['Too many attempts', 'For your safety we make a pause here. Try again later.'],
  500: [
    'Something went wrong',
    'It is not your fault, and it was written down. Try again in a while.',
  ],
  503: [
    'Please come back in a moment',
    'There is much to do, or a part is away. Nothing was lost.',
  ],
}

interface ProblemView {
  readonly status: number
  /** Seconds after which to come again. */
  readonly retryAfter?: number | undefined
  /** What support asks for. */
  readonly requestId: string
}

export function problemPage({ status, retryAfter, requestId }: ProblemView): string {
  const [title, advice] = sentences[status] ?? sentences[status < 500 ? 400 : 500] ?? ['', '']
  return entrancePage({
    title,
    content: html`<p class="lead">${advice}</p>
${retryAfter !== undefined && html`<p class="lead">You can try again in <strong>${waitingTime(retryAfter)}</strong>.</p>`}
<p class="aside"><a href="/">Back to the start</a></p>
<p class="aside">Request <code>${requestId}</code></p>`,
  })
}

/** @param seconds rounded up, so that nobody comes too early */
export function waitingTime(seconds: number): string {
  const [count, unit] =
    seconds < 90 ? [Math.ceil(seconds), 'second'] : [Math.ceil(seconds / 60), 'minute']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
