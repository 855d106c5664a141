import { notice } from './form.ts'
import { html } from './html.ts'
import { accountPage, type Resident } from './layout.ts'
import { ago, onDay, time } from './moment.ts'

interface SessionLine {
  readonly id: string
  /** A browser's, or that of a program with tokens. */
  readonly kind: 'browser' | 'token'
  readonly current: boolean
  readonly deviceName: string
  readonly address: string | undefined
  readonly createdAt: Date
  readonly lastSeenAt: Date
}

interface SessionsView extends Resident {
  readonly sessions: readonly SessionLine[]
  /** Milliseconds since 1970. */
  readonly now: number
  readonly notice?: string | undefined
}

/** Where somebody is signed in, and how to end it. */
export function sessionsPage(view: SessionsView): string {
  const { sessions, now } = view
  const others = sessions.some(({ current }) => !current)
  return accountPage(
    '/account/sessions',
    {
      title: 'Sessions',
      content: [
        html`<p class="lead">Where you are signed in. End what you do not know, and then change your password.</p>`,
        notice(view.notice),
        html`<section class="card" aria-labelledby="list">
<h2 id="list">Signed in now</h2>
<ul class="list">${sessions.map((session) => line(session, now))}</ul>
</section>
<section class="card" aria-labelledby="end">
<h2 id="end">Sign out in several places</h2>
<p class="lead">It takes effect at once.</p>
<form class="actions" method="post" action="/account/sessions">
${others && html`<button class="plain" name="end" value="others">Sign out everywhere else</button>`}
<button class="grave" name="end" value="all">Sign out everywhere</button>
</form>
</section>`,
      ],
    },
    view,
  )
}

function line(session: SessionLine, now: number) {
  const { id, kind, current, deviceName, address, createdAt, lastSeenAt } = session
  const name = deviceName === '' ? 'Unknown device' : deviceName
  const seen = current
    ? html`Active now`
    : html`Last seen ${time(lastSeenAt, ago(lastSeenAt, now))}`
  return html`<li>
<div>
<h3 id="${`session-${id}`}">${name}${current && html` <span class="tag">This one</span>`}${kind === 'token' && html` <span class="tag">API client</span>`}</h3>
<p>${seen}${address !== undefined && html` · ${address}`}</p>
<p>Signed in on ${time(createdAt, onDay(createdAt))}</p>
</div>
${
  !current &&
  html`<form class="inline" method="post" action="/account/sessions">
<input type="hidden" name="session" value="${id}">
<button class="plain small" aria-describedby="${`session-${id}`}">Sign out</button>
</form>`
}
</li>`
}
