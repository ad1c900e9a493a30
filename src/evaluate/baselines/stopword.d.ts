/** What is used of a package that brings no types. */
declare module 'stopword' {
  export const eng: readonly string[]
}
