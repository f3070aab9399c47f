// Shows only the steps with the chosen driver, step and execution context. Bars, shades and curves span rows, so they
// are hidden meanwhile.
const choices = [...document.querySelectorAll(".filter select")];
const count = document.querySelector(".filter output");

function filter() {
  const [driver, step, context] = choices.map((choice) => choice.value);
  const all = !driver && !step && !context;
  let shown = 0;
  for (const picture of document.querySelectorAll("svg.rows")) {
    const height = Number(picture.dataset.row);
    let bottom = 0;
    for (const row of picture.querySelectorAll("g")) {
      const { drivers, step: its, context: where, top } = row.dataset;
      const fits = (!driver || drivers.split(" ").includes(driver)) && (!step || its === step) &&
        (!context || where === context);
      row.style.display = fits ? "" : "none";
      row.style.transform = all ? "" : `translateY(${bottom - top}px)`;
      bottom += fits ? height : 0;
      shown += fits ? 1 : 0;
    }
    picture.classList.toggle("filtered", !all);
    picture.setAttribute("height", all ? picture.dataset.height : bottom + height);
  }
  count.value = all ? "" : `${shown} shown`;
}

choices.forEach((choice) => choice.addEventListener("change", filter));
filter();
