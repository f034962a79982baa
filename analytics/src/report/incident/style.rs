//! How the page looks: one column of text that can be read, wide things that scroll by themselves, and paper.
//!
//! Colours only repeat what words say. No font, picture or script is loaded.

/// The rules.
pub(super) const STYLE: &str = "\
:root{color-scheme:light;--ink:#1a1f26;--soft:#4a5563;--line:#d3d9e0;--paper:#fff;--shade:#f3f5f7;--bad:#8c1310;--badbg:#fdecea;--high:#7a3b00;--highbg:#fdf0e1;\
--odd:#5f4b00;--oddbg:#fbf5d9;--dim:#3c4754;--dimbg:#eef1f4}\n\
*{box-sizing:border-box}html{font-size:16px}\
body{font:1rem/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;margin:0 auto;max-width:66rem;padding:0 1.25rem 3rem;overflow-wrap:anywhere;color:var(--ink);background:var(--paper)}\
a{color:#0b4f8a}a:focus-visible,[tabindex]:focus-visible{outline:3px solid #0b4f8a;outline-offset:2px}\
.skip{position:absolute;left:-100rem}.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.3rem .6rem}\
h1{font-size:1.9rem;line-height:1.2;margin:1.6rem 0 .3rem}h2{font-size:1.35rem;margin:2.6rem 0 .7rem;padding-top:.5rem;border-top:3px solid var(--ink)}\
h3{font-size:1.12rem;margin:1.8rem 0 .5rem}h4{font-size:1rem;margin:0 0 .5rem;line-height:1.4}h5{font-size:.9rem;margin:.9rem 0 .2rem;color:var(--soft)}\
p{margin:.5rem 0 .8rem;max-width:46rem}.lead p{font-size:1.12rem;line-height:1.55}.soft{color:var(--soft);font-size:.9rem}\
nav ul{list-style:none;padding:0;margin:.8rem 0;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem}\
.counts{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0}.counts li{padding:.25rem .7rem;border-radius:.3rem;border:1px solid}\
.level{display:inline-block;font-size:.78rem;font-weight:700;letter-spacing:.03em;text-transform:uppercase;padding:.05rem .45rem;border:1px solid;border-radius:.25rem;margin-right:.4rem}\
.critical{color:var(--bad);background:var(--badbg)}.high{color:var(--high);background:var(--highbg)}.medium{color:var(--odd);background:var(--oddbg)}\
.low,.informational{color:var(--dim);background:var(--dimbg)}\
article{border:1px solid var(--line);border-left-width:5px;border-radius:.35rem;padding:.9rem 1.1rem;margin:0 0 1rem}\
article.is-critical{border-left-color:var(--bad)}article.is-high{border-left-color:#c9731a}article.is-medium{border-left-color:#b59b1d}\
.wide{overflow-x:auto;margin:.6rem 0 1rem}figure{margin:.6rem 0 1rem}figcaption{color:var(--soft);font-size:.9rem}\
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;font-weight:600;padding:.2rem 0 .4rem}\
th,td{overflow-wrap:break-word;text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line)}thead th{font-size:.8rem;color:var(--soft);border-bottom:2px solid var(--ink)}\
tbody th{font-weight:400}td .code,th .code{overflow-wrap:break-word}.t{white-space:nowrap;font-variant-numeric:tabular-nums}\
code,.code{font:.84em/1.4 ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}pre.code{white-space:pre-wrap;background:var(--shade);padding:.7rem .9rem;border-radius:.3rem;margin:.5rem 0}\
dl.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25rem .9rem;margin:.5rem 0}dl.facts dt{color:var(--soft);font-size:.9rem}dl.facts dd{margin:0}\
.note{background:var(--oddbg);border-left:4px solid #b59b1d;padding:.5rem .9rem;max-width:46rem}\
svg{display:block;width:100%;height:auto}svg text{font-family:system-ui,'DejaVu Sans',sans-serif;fill:var(--ink)}svg .name{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:12px;font-weight:600}\
svg .sub{font-size:10.5px;fill:var(--soft)}svg .head{font-size:12px;font-weight:600;fill:var(--soft)}svg .code{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:11px}\
svg .box{fill:#fff;stroke:#5b6673;stroke-width:1.2}svg .box.is-critical{stroke:#8c1310;stroke-width:2.2}svg .box.is-high{stroke:#b4610f;stroke-width:1.8}svg .more{fill:none;stroke:#5b6673;stroke-dasharray:4 3}\
svg .edge{fill:none;stroke:#5b6673;stroke-width:1.3}svg .edge.is-critical{stroke:#8c1310;stroke-width:1.8}svg .edge.is-high{stroke:#b4610f;stroke-width:1.6}svg .tag{fill:#fff}\
svg .grid{stroke:#d3d9e0;stroke-width:1}svg .mark{fill:#5b6673}svg .mark.is-critical{fill:#8c1310}svg .mark.is-high{fill:#c9731a}svg .mark.is-medium{fill:#b59b1d}svg a:focus-visible text{text-decoration:underline}\n\
@media (max-width:40rem){dl.facts{grid-template-columns:minmax(0,1fr)}dl.facts dd{margin-bottom:.4rem}article{padding:.7rem .8rem}h1{font-size:1.6rem}}\n\
@media print{@page{size:A4;margin:16mm 15mm 18mm;@bottom-right{content:\"Page \" counter(page) \" of \" counter(pages);font-size:8pt;color:#4a5563}\
@bottom-left{content:\"lidr incident report\";font-size:8pt;color:#4a5563}}\
html{font-size:10.5pt}body{max-width:none;padding:0}nav,.skip{display:none}.lead p{font-size:1.05rem}h2{break-after:avoid;margin-top:1.8rem}h3,h4,h5,caption,thead,thead tr{break-after:avoid}\
.wide{overflow:visible}th,td,td .code,th .code{overflow-wrap:anywhere}svg{min-width:0!important}tr,figure,li,.note,dl.facts{break-inside:avoid}thead{display:table-header-group}article{break-inside:auto}a{color:inherit;text-decoration:none}\
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";
