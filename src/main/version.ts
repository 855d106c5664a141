/** The version of this program; a test holds it to package.json, the charts and the image. */
export const version = '0.1.0'
