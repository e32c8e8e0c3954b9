/* Draws the three pictures of a run from the JSON in the page. Without this the same figures are there as tables. */
(() => {
  "use strict";
  const holder = document.getElementById("pictures");
  if (!holder) return;
  const run = JSON.parse(document.getElementById("data").textContent);
  const rootStyle = () => getComputedStyle(document.documentElement);
  const colour = (name) => rootStyle().getPropertyValue("--" + name).trim();
  const middle = run.offered.map((_, index) => Math.min((index + 0.5) * run.bin_s, run.length_s));
  const ratio = () => window.devicePixelRatio || 1;
  const ms = (value) => value == null ? "–" : value >= 1000 ? +(value / 1000).toPrecision(3) + " s" : +value.toPrecision(3) + " ms";
  const perSecond = (value) => value == null ? "–" : +value.toPrecision(4) + "/s";
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
  function drawHeat(plot) {
    const { ctx, bbox } = plot;
    let most = 1;
    for (let i = 2; i < run.heat.length; i += 3) most = Math.max(most, run.heat[i]);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const shade = colour("heat");
    for (let i = 0; i < run.heat.length; i += 3) {
      const start = run.heat[i] * run.bin_s, row = run.heat[i + 1];
      const left = plot.valToPos(start, "x", true), right = plot.valToPos(start + run.bin_s, "x", true);
      const top = plot.valToPos(10 ** ((row + 1) / run.per_decade), "y", true);
      const foot = plot.valToPos(10 ** (row / run.per_decade), "y", true);
      ctx.fillStyle = `rgba(${shade}, ${0.14 + 0.66 * Math.log1p(run.heat[i + 2]) / Math.log1p(most)})`;
      ctx.fillRect(left, top, Math.max(1, right - left), Math.max(ratio(), foot - top));
    }
    ctx.restore();
  }

  function line(label, name, value, more) {
    return { label, stroke: colour(name), width: 1.75, value: (_, raw) => value(raw), points: { show: false }, spanGaps: false, ...more };
  }

  function axes(values, size) {
    const shared = { stroke: colour("soft"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "12px system-ui, sans-serif" };
    return [
      { ...shared, values: (_, ticks) => ticks.map((tick) => tick + " s"), space: 60 },
      { ...shared, values: (_, ticks) => ticks.map((tick) => tick == null ? "" : values(tick)), size },
    ];
  }

  function latencyRange() {
    let low = Infinity, high = -Infinity;
    for (let i = 1; i < run.heat.length; i += 3) {
      low = Math.min(low, run.heat[i]);
      high = Math.max(high, run.heat[i] + 1);
    }
    if (low > high) return [0.1, 1000];
    const top = 10 ** (high / run.per_decade), foot = 10 ** (low / run.per_decade), decade = 10 ** Math.floor(low / run.per_decade);
    return logarithmic ? [[5, 2, 1].map((step) => step * decade).find((step) => step <= foot * 1.0001), top] : [0, top];
  }

  function build(id, height, y, series, values, heat) {
    const place = document.getElementById(id);
    place.textContent = "";
    const options = {
      width: place.clientWidth || 320,
      height,
      padding: [HEAD, 10, 0, 0],
      legend: { markers: { width: 2, dash: (_, index) => index > 0 && series[index - 1][1].dash ? (series[index - 1][1].dash[0] > 4 ? "dashed" : "dotted") : "solid" } },
      cursor: { sync: { key: "run" }, drag: { x: true, y: false }, points: { size: 6 } },
      scales: { x: { time: false, range: (_, low, high) => low === middle[0] && high === middle[middle.length - 1] ? [0, run.length_s] : [low, high] }, y },
      axes: axes(values, 68),
      series: [{ label: "at", value: (_, raw) => instant(raw) }, ...series.map((one) => one[1])],
      hooks: { drawClear: [drawBands, ...(heat ? [drawHeat] : [])], draw: [drawNames] },
    };
    const plot = new uPlot(options, [middle, ...series.map((one) => run[one[0]])], place);
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

  function move(plot, event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const now = plot.cursor.idx == null ? (step > 0 ? -1 : middle.length) : plot.cursor.idx;
    const next = Math.min(middle.length - 1, Math.max(0, now + step));
    plot.setCursor({ left: plot.valToPos(middle[next], "x"), top: plot.over.clientHeight / 2 }, true);
  }

  function drawAll() {
    for (const plot of plots) plot.destroy();
    const narrow = holder.clientWidth < 560;
    plots = [
      build("latency", narrow ? 300 : 340, { distr: logarithmic ? 3 : 1, log: 10, range: latencyRange }, [
        ["p50", line("p50", "p50", ms)], ["p95", line("p95", "p95", ms, { dash: [8, 4] })], ["p99", line("p99", "p99", ms, { dash: [2, 3] })],
      ], ms, true),
      build("throughput", narrow ? 240 : 260, { range: (_, low, high) => [0, (high || 1) * 1.08] }, [
        ["offered", line("offered", "offered", perSecond, { dash: [2, 3] })], ["ok", line("ok", "ok", perSecond)],
        ["degraded", line("of these degraded", "degraded", perSecond, { dash: [8, 4] })],
      ], (value) => value + "/s"),
      build("errors", narrow ? 220 : 220, { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] }, [
        ["failed", line("failed", "failed", perSecond)], ["unknown", line("unknown", "unsure", perSecond, { dash: [8, 4] })],
        ["dropped", line("dropped", "dropped", perSecond, { dash: [2, 3] })],
      ], (value) => value + "/s"),
    ];
  }

  holder.hidden = false;
  drawAll();
  ["latency", "throughput", "errors"].forEach((id, index) => {
    document.getElementById(id).addEventListener("keydown", (event) => move(plots[index], event));
  });
  document.getElementById("scale").addEventListener("click", (event) => {
    logarithmic = !logarithmic;
    event.currentTarget.textContent = logarithmic ? "Linear latency" : "Logarithmic latency";
    drawAll();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let width = holder.clientWidth;
  new ResizeObserver(() => {
    if (holder.clientWidth === width) return;
    width = holder.clientWidth;
    requestAnimationFrame(drawAll);
  }).observe(holder);
})();
