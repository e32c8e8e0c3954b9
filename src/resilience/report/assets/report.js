/* Draws the charts of a run from the JSON in the page. Without this the same figures are there as tables. */
(() => {
  "use strict";
  const told = JSON.parse(document.getElementById("data").textContent);
  document.querySelectorAll("[data-run]").forEach((article, index) => drawRun(article, told.runs[index], "run" + index));

function drawRun(article, run, key) {
  const placeOf = (chart) => article.querySelector(`[data-chart="${CSS.escape(chart.name)}"]`);
  const charts = run.charts.filter(placeOf);
  if (!charts.length) return;
  const rootStyle = () => getComputedStyle(document.documentElement);
  const colour = (name) => rootStyle().getPropertyValue("--" + name).trim();
  const ratio = () => window.devicePixelRatio || 1;
  const digits = (value, number) => +value.toPrecision(number);
  const milliseconds = (value) => value >= 10000 ? digits(value / 1000, 3) + " s" : digits(value, 3) + " ms";
  function bytes(value) {
    let name = 0;
    while (Math.abs(value) >= 1024 && name < 4) { value /= 1024; name++; }
    return digits(value, 3) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][name];
  }
  const units = {
    ms: milliseconds, s: (value) => digits(value, 3) + " s", per_s: (value) => digits(value, 4) + "/s", bytes,
    bytes_per_s: (value) => bytes(value) + "/s", ratio: (value) => digits(100 * value, 3) + " %",
    cores: (value) => digits(value, 3) + "", count: (value) => digits(value, 4) + "",
  };
  const show = (unit, value) => value == null ? "–" : (units[unit] || units.count)(value);
  const instant = (value) => value == null ? "–" : +value.toFixed(1) + " s";
  const HEAD = 40; // pixels above the plot for names of phases and letters of marks
  let logarithmic = true;
  let plots = [];

  function bounds(band) {
    return [band.start == null ? 0 : band.start, band.end == null ? run.length_s : band.end];
  }

  /* Fault phases are shaded and hatched, every phase is divided from the next. */
  function drawBands(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const band of run.phases) {
      const [start, end] = bounds(band);
      const left = plot.valToPos(start, "x", true), right = plot.valToPos(end, "x", true);
      if (band.fault) {
        const width = Math.max(2 * ratio(), right - left);
        ctx.fillStyle = `rgba(${colour("fault")}, 0.10)`;
        ctx.fillRect(left, bbox.top, width, bbox.height);
        ctx.save();
        ctx.beginPath();
        ctx.rect(left, bbox.top, width, bbox.height);
        ctx.clip();
        ctx.strokeStyle = `rgba(${colour("fault")}, 0.22)`;
        ctx.lineWidth = ratio();
        const step = 12 * ratio();
        for (let x = left - bbox.height; x < left + width; x += step) {
          ctx.beginPath();
          ctx.moveTo(x, bbox.top + bbox.height);
          ctx.lineTo(x + bbox.height, bbox.top);
          ctx.stroke();
        }
        ctx.restore();
      }
      ctx.strokeStyle = band.fault ? `rgba(${colour("fault")}, 0.8)` : colour("line");
      ctx.lineWidth = ratio();
      for (const x of band.fault ? [left, right] : [right]) {
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  /* Names of phases above the plot where they fit, and letters for the instants of recovery. */
  function drawNames(plot) {
    const { ctx, bbox } = plot;
    const px = ratio();
    ctx.save();
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    for (const band of run.phases) {
      const [start, end] = bounds(band);
      const left = Math.max(bbox.left, plot.valToPos(start, "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(end, "x", true));
      if (right <= left) continue;
      ctx.font = `${band.fault ? "600 " : ""}${12 * px}px system-ui, sans-serif`;
      ctx.fillStyle = band.fault ? `rgb(${colour("fault")})` : colour("soft");
      const fits = [band.label, band.short].find((text) => text && ctx.measureText(text).width <= right - left - 4 * px);
      const text = fits || (band.fault ? band.short : "");
      if (text) ctx.fillText(text, (left + right) / 2, bbox.top - (HEAD - 9) * px);
    }
    let before = -Infinity, row = 0;
    ctx.font = `700 ${10 * px}px system-ui, sans-serif`;
    for (const mark of run.marks) {
      const x = plot.valToPos(mark.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      row = x - before < 14 * px ? Math.min(1, row + 1) : 0;
      before = x;
      const y = bbox.top - (row ? 20 : 7) * px;
      ctx.strokeStyle = colour("ink");
      ctx.lineWidth = px;
      ctx.setLineDash([3 * px, 3 * px]);
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.fillStyle = colour("ink");
      ctx.fillRect(x - 6 * px, y - 6 * px, 12 * px, 12 * px);
      ctx.fillStyle = colour("card");
      ctx.fillText(mark.letter, x, y + px / 2);
    }
    ctx.restore();
  }

  /* The heat map: one cell per bin and row of response time, the darker the more operations. */
  function drawHeat(plot, heat) {
    const { ctx, bbox } = plot;
    let most = 1;
    for (let i = 2; i < heat.length; i += 3) most = Math.max(most, heat[i]);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const shade = colour("heat");
    for (let i = 0; i < heat.length; i += 3) {
      const start = heat[i] * run.bin_s, row = heat[i + 1];
      const left = plot.valToPos(start, "x", true), right = plot.valToPos(start + run.bin_s, "x", true);
      const top = plot.valToPos(10 ** ((row + 1) / run.per_decade), "y", true);
      const foot = plot.valToPos(10 ** (row / run.per_decade), "y", true);
      ctx.fillStyle = `rgba(${shade}, ${0.14 + 0.66 * Math.log1p(heat[i + 2]) / Math.log1p(most)})`;
      ctx.fillRect(left, top, Math.max(1, right - left), Math.max(ratio(), foot - top));
    }
    ctx.restore();
  }

  /* Stretches of which nothing is known: hatched the other way, without colour. */
  function drawGaps(plot, gaps) {
    const { ctx, bbox } = plot;
    for (const [start, end] of gaps) {
      const left = Math.max(bbox.left, plot.valToPos(start, "x", true));
      const width = Math.min(bbox.left + bbox.width, plot.valToPos(end, "x", true)) - left;
      if (width <= 0) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, width, bbox.height);
      ctx.clip();
      ctx.strokeStyle = colour("soft");
      ctx.globalAlpha = 0.5;
      for (let x = left; x < left + width + bbox.height; x += 6 * ratio()) {
        ctx.beginPath();
        ctx.moveTo(x - bbox.height, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
      ctx.restore();
    }
  }

  /* The most that it can be: a line, or a word at the top where the line is far above what was seen. */
  function drawLimit(plot, chart) {
    if (chart.limit == null) return;
    const { ctx, bbox } = plot;
    const px = ratio(), y = plot.valToPos(chart.limit, "y", true), inside = y >= bbox.top - 1;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("fail");
    ctx.lineWidth = 1.5 * px;
    if (inside) {
      ctx.setLineDash([7 * px, 3 * px]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.font = `600 ${11 * px}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    ctx.textBaseline = inside && y > bbox.top + 16 * px ? "bottom" : "top";
    const text = `limit ${show(chart.unit, chart.limit)}${inside ? "" : " ↑"}`;
    ctx.fillText(text, bbox.left + bbox.width - 4 * px, inside ? y + (ctx.textBaseline === "top" ? 3 : -3) * px : bbox.top + 3 * px);
    ctx.restore();
  }

  const DASHES = { solid: undefined, dashed: [8, 4], dotted: [2, 3] };

  const POWERS_OF_2 = Array.from({ length: 53 }, (_, power) => 2 ** power);

  function axes(unit, size) {
    const shared = { stroke: colour("soft"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "12px system-ui, sans-serif" };
    return [
      { ...shared, values: (_, ticks) => ticks.map((tick) => tick + " s"), space: 60 },
      { ...shared, values: (_, ticks) => ticks.map((tick) => tick == null ? "" : show(unit, tick)), size, ...(unit.startsWith("bytes") ? { incrs: POWERS_OF_2 } : {}) },
    ];
  }

  function latencyRange(heat) {
    let low = Infinity, high = -Infinity;
    for (let i = 1; i < heat.length; i += 3) {
      low = Math.min(low, heat[i]);
      high = Math.max(high, heat[i] + 1);
    }
    if (low > high) return [0.1, 1000];
    const top = 10 ** (high / run.per_decade), foot = 10 ** (low / run.per_decade), decade = 10 ** Math.floor(low / run.per_decade);
    return logarithmic ? [[5, 2, 1].map((step) => step * decade).find((step) => step <= foot * 1.0001), top] : [0, top];
  }

  function scaleOf(chart) {
    if (chart.heat.length) return { distr: logarithmic ? 3 : 1, log: 10, range: () => latencyRange(chart.heat) };
    return {
      range: (_, low, high) => {
        const top = high > 0 ? high : 1;
        return [Math.min(0, low || 0), 1.08 * (chart.limit != null && chart.limit <= 4 * top ? Math.max(top, chart.limit) : top)];
      },
    };
  }

  function build(chart) {
    const place = placeOf(chart);
    place.textContent = "";
    const width = place.clientWidth || 320, heat = chart.heat.length > 0, last = chart.at.length - 1;
    const options = {
      width,
      height: heat ? (width < 560 ? 300 : 340) : chart.small ? 190 : 240,
      padding: [HEAD, 10, 0, 0],
      legend: { markers: { width: 2, dash: (_, index) => index > 0 ? chart.lines[index - 1].dash : "solid" } },
      cursor: { sync: { key }, drag: { x: true, y: false }, points: { size: 6 } },
      scales: { x: { time: false, range: (_, low, high) => low === chart.at[0] && high === chart.at[last] ? [0, run.length_s] : [low, high] }, y: scaleOf(chart) },
      axes: axes(chart.unit, chart.unit.startsWith("bytes") ? 84 : 72),
      series: [
        { label: "at", value: (_, raw) => instant(raw) },
        ...chart.lines.map((line) => ({ label: line.label, stroke: colour(line.tone), width: 1.75, dash: DASHES[line.dash], value: (_, raw) => show(chart.unit, raw), points: { show: false }, spanGaps: false })),
      ],
      hooks: {
        drawClear: [drawBands, (plot) => drawGaps(plot, chart.gaps), ...(heat ? [(plot) => drawHeat(plot, chart.heat)] : [])],
        draw: [drawNames, (plot) => drawLimit(plot, chart)],
      },
    };
    const plot = new uPlot(options, [chart.at, ...chart.lines.map((line) => line.values)], place);
    for (const head of place.querySelectorAll(".u-legend .u-series:not(:first-child) th")) {
      head.tabIndex = 0;
      head.setAttribute("role", "button");
      head.title = "show or hide";
      head.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        head.click();
      });
    }
    return plot;
  }

  function move(chart, plot, event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const now = plot.cursor.idx == null ? (step > 0 ? -1 : chart.at.length) : plot.cursor.idx;
    const next = Math.min(chart.at.length - 1, Math.max(0, now + step));
    plot.setCursor({ left: plot.valToPos(chart.at[next], "x"), top: plot.over.clientHeight / 2 }, true);
  }

  function drawAll() {
    for (const plot of plots) plot.destroy();
    plots = charts.map(build);
  }

  for (const chart of charts) placeOf(chart).hidden = false;
  drawAll();
  charts.forEach((chart, index) => placeOf(chart).addEventListener("keydown", (event) => move(chart, plots[index], event)));
  const scale = article.querySelector(".scale");
  if (scale) {
    article.querySelector(".tools").hidden = false;
    scale.addEventListener("click", () => {
      logarithmic = !logarithmic;
      scale.textContent = logarithmic ? "Linear latency" : "Logarithmic latency";
      drawAll();
    });
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    requestAnimationFrame(drawAll);
  }).observe(document.body);
}
})();
