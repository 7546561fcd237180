"use strict";
const tables = Array.from(document.querySelectorAll("table.ranked"));
const filter = document.getElementById("filter"), shown = document.getElementById("shown");
const key = (row, column) => {
  const cell = row.cells[column], number = cell.dataset.key;
  return number === undefined ? cell.textContent.trim().toLowerCase() : Number(number);
};
const sortable = table => {
  const body = table.tBodies[0], rows = Array.from(body.rows);
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells)
        if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      rows.sort((a, b) => {
        const x = key(a, column), y = key(b, column);
        const order = typeof x === "number" && typeof y === "number" ? x - y
          : String(x).localeCompare(String(y));
        return sign * order;
      });
      body.append(...rows);
    });
  });
};
if (tables.length) {
  const every = tables.flatMap(table => Array.from(table.tBodies[0].rows));
  const texts = new Map(every.map(row => [row, row.textContent.toLowerCase()]));
  const show = () => {
    const wanted = filter.value.toLowerCase().trim();
    let count = 0;
    for (const row of every) {
      row.hidden = !texts.get(row).includes(wanted);
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = `${count} of ${every.length} rows`;
  };
  tables.forEach(sortable);
  filter.addEventListener("input", show);
  show();
}
