// Tables that sort by a button in each heading. Names only ever become text, never markup.
'use strict';

mmsal.element = function (tag, text, attributes) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  return element;
};

mmsal.number = function (value, digits = 3) {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text.replace('-', '−');
};

// A column is {title, value(row), cell(row), note, text, low}: `value` sorts; `cell` gives text or
// a node; `text` is for words; `low` is for numbers of which the lowest is the best.
mmsal.Table = class {
  constructor(table) {
    this.table = table;
    this.head = table.appendChild(mmsal.element('thead'));
    this.body = table.appendChild(mmsal.element('tbody'));
    this.sorted = null; // {title, ascending}, kept when other rows or columns are shown
  }

  show(columns, rows, caption) {
    this.columns = columns;
    this.rows = rows;
    this.table.caption.replaceChildren(mmsal.element('span', caption));
    const line = mmsal.element('tr');
    for (const column of columns) {
      const cell = mmsal.element('th', undefined, { scope: 'col', class: column.text ? 'text' : 'numbers' });
      const button = mmsal.element('button', column.title, { type: 'button' });
      button.addEventListener('click', () => this.sort(column));
      cell.append(button);
      if (column.note) cell.append(mmsal.element('small', column.note));
      line.append(cell);
    }
    this.head.replaceChildren(line);
    this.fill();
  }

  sort(column) {
    const again = this.sorted && this.sorted.title === column.title;
    const ascending = again ? !this.sorted.ascending : Boolean(column.text || column.low);
    this.sorted = { title: column.title, ascending };
    this.fill();
  }

  fill() {
    const place = this.sorted
      ? this.columns.findIndex((column) => column.title === this.sorted.title) : -1;
    [...this.head.rows[0].cells].forEach((cell, number) => {
      const direction = this.sorted && this.sorted.ascending ? 'ascending' : 'descending';
      cell.setAttribute('aria-sort', number === place ? direction : 'none');
    });
    let rows = this.rows;
    if (place >= 0) rows = mmsal.sort(rows, this.columns[place].value, this.sorted.ascending);
    this.body.replaceChildren(...rows.map((row) => this.line(row)));
  }

  line(row) {
    const line = mmsal.element('tr', undefined, row.yardstick ? { class: 'yardstick' } : {});
    this.columns.forEach((column, number) => {
      const content = column.cell ? column.cell(row) : mmsal.number(column.value(row));
      const cell = number
        ? mmsal.element('td', undefined, column.text ? { class: 'text' } : {})
        : mmsal.element('th', undefined, { scope: 'row' });
      if (content === '–') {
        cell.append(mmsal.element('span', '–', { 'aria-hidden': 'true' }));
        cell.append(mmsal.element('span', 'undefined', { class: 'sr' }));
      } else cell.append(content);
      line.append(cell);
    });
    return line;
  }
};

// Sorted copy; equal rows keep their order, and NaN is last whichever way.
mmsal.sort = function (rows, value, ascending) {
  const sign = ascending ? 1 : -1;
  return [...rows].sort((first, second) => {
    const a = value(first), b = value(second);
    if (typeof a === 'string') return sign * a.localeCompare(b, 'en', { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return a === b ? 0 : sign * (a < b ? -1 : 1);
  });
};
