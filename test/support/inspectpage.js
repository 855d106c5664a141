/** Runs in a page: what a screen reader would stumble over. Its types are a browser's, which nothing else here knows. */
;(() => {
  const all = [...document.querySelectorAll('*')]
  const controls = [...document.querySelectorAll('input, button, a[href]')].filter(
    (element) => element.getAttribute('type') !== 'hidden' && !element.hasAttribute('aria-hidden'),
  )
  const nameOf = (element) => (element.labels?.[0] ?? element).textContent.trim()
  const written = (elements) => elements.map(({ outerHTML }) => outerHTML)
  const ids = all.map(({ id }) => id).filter((id) => id !== '')
  const referred = all.flatMap((element) =>
    ['aria-describedby', 'aria-labelledby', 'for'].flatMap(
      (name) => element.getAttribute(name)?.split(' ') ?? [],
    ),
  )
  const levels = [...document.querySelectorAll('h1, h2, h3')].map(({ tagName }) => +tagName[1])
  return {
    lang: document.documentElement.lang,
    titled: document.title.includes(' – '),
    headings: levels.filter((level) => level === 1).length,
    skipped: levels.filter((level, index) => level - (levels[index - 1] ?? 0) > 1),
    nameless: written(controls.filter((element) => nameOf(element) === '')),
    doubleIds: ids.filter((id, index) => ids.indexOf(id) !== index),
    dangling: referred.filter((id) => !ids.includes(id)),
    unknownPurpose: written(
      controls.filter(({ tagName, autocomplete }) => tagName === 'INPUT' && !autocomplete),
    ),
  }
})()
