import { markAsset, styleAsset } from './asset.ts'
import { attributes, type Html, html } from './html.ts'

export interface Page {
  /** The heading, and the beginning of the window's title. */
  readonly title: string
  readonly content: Html | readonly (Html | false | undefined)[]
  /** Whether the page says what is wrong with a form: the title says so first. */
  readonly faulty?: boolean
  /** Where the browser goes on to by itself. */
  readonly onward?: string
}

/** Who the pages of an account are for. */
export interface Resident {
  /** The organization's display name. */
  readonly organization: string
  readonly email: string
  /** Whether they may see who else is a member. */
  readonly seesMembers: boolean
}

const rooms = [
  ['/account', 'Profile'],
  ['/account/sessions', 'Sessions'],
  ['/account/password', 'Password'],
  ['/admin/members', 'Members'],
] as const
export type Room = (typeof rooms)[number][0]

const product = 'Cardea'

/** A page for somebody who is not signed in. @param owner whose page it is, where that may be told */
export function entrancePage(page: Page, owner: string = product): string {
  const { title, content } = page
  return documentOf(
    page,
    owner,
    html`<main class="entrance" id="main" tabindex="-1">
<p class="brand"><img src="${markAsset.path}" alt="" width="32" height="32">${owner}</p>
<div class="card">
<h1>${title}</h1>
${content}
</div>
</main>`,
  )
}

/** A page for somebody who is signed in. */
export function accountPage(room: Room, page: Page, me: Resident): string {
  const { title, content } = page
  const open = rooms.filter(([path]) => path !== '/admin/members' || me.seesMembers)
  const links = open.map(([path, name]) => {
    const current = attributes({ href: path, 'aria-current': path === room ? 'page' : undefined })
    return html`<li><a${current}>${name}</a></li>`
  })
  return documentOf(
    page,
    me.organization,
    html`<header class="bar"><div>
<div class="first">
<a class="brand" href="/account"><img src="${markAsset.path}" alt="" width="32" height="32">${me.organization}</a>
<div class="me"><span>${me.email}</span>
<form class="inline" method="post" action="/logout"><button class="link">Sign out</button></form></div>
</div>
<nav aria-label="Account"><ul>${links}</ul></nav>
</div></header>
<main class="room" id="main" tabindex="-1">
<h1>${title}</h1>
${content}
</main>`,
  )
}

function documentOf({ title, faulty, onward }: Page, owner: string, body: Html): string {
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${faulty && 'Error: '}${title} – ${owner}</title>
<link rel="icon" type="image/svg+xml" href="${markAsset.path}">
<link rel="stylesheet" href="${styleAsset.path}">
${onward !== undefined && html`<meta http-equiv="refresh" content="0; url=${onward}">`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${body}
</body>
</html>
`)
}
