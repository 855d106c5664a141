/** A hinge: two leaves and the knuckles between them. Its colors hold on light and dark alike. */
export const mark = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="8" fill="#17615a"/>
<path d="M6 8h7v16H6zM19 8h7v16h-7z" fill="#ffffff" fill-opacity=".38"/>
<path d="M14 6h4v5.4h-4zM14 13.3h4v5.4h-4zM14 20.6h4V26h-4z" fill="#ffffff"/>
<path d="M8 12h3M8 20h3M21 12h3M21 20h3" stroke="#17615a" stroke-width="2" stroke-linecap="round"/>
</svg>
`
