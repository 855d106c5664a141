/** A CRD without the comment and the separator that its file starts with. */
export function bareCrd(file: string): string {
  return file.replace(/^(#.*\n|---\n)+/, '')
}

/**
 * The template of a CRD in charts/cardea-crds: the CRD itself, kept when the chart is uninstalled, since with a CRD go all
 * its resources.
 * @param crd a file of crds/
 * @throws when the text does not have its metadata where the generator puts it
 */
export function crdTemplate(crd: string): string {
  const keep = '    helm.sh/resource-policy: keep\n'
  const escaped = bareCrd(crd).replaceAll('{{', '{{ "{{" }}')
  const file = '{{- /* Generated from crds/; never edited. */ -}}\n'
  if (/^ {2}annotations:\n/m.test(escaped)) {
    return file + escaped.replace(/^ {2}annotations:\n/m, (line) => line + keep)
  }
  if (!/^metadata:\n/m.test(escaped)) throw new Error('a CRD without metadata')
  return file + escaped.replace(/^metadata:\n/m, (line) => `${line}  annotations:\n${keep}`)
}
