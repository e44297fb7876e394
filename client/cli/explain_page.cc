#include "client/cli/explain_page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/html.h"
#include "client/cli/json.h"
#include "client/cli/page_parts.h"

namespace sightline::cli {

// page/explain.css and page/explain.js, embedded by the build.
extern const absl::string_view kExplainCss;
extern const absl::string_view kExplainJs;

namespace {

// The parts of the picture that were looked at, each as four edges and whether they are pixels: only the script knows
// the size of a picture that came as a file.
std::string CropNumbers(const PagePicture& picture) {
  std::vector<std::string> crops;
  for (const v1::CropBox& crop : picture.crops) {
    crops.push_back(JsonArray({JsonNumber(crop.x0()), JsonNumber(crop.y0()), JsonNumber(crop.x1()),
                               JsonNumber(crop.y1()), crop.unit() == v1::CropBox::UNIT_PIXEL ? "1" : "0"}));
  }
  return JsonArray(crops);
}

std::string Figure(const PagePicture& picture, const char* side, const char* label, bool repeated) {
  std::string image;
  const std::string size =
      picture.width > 0 && picture.height > 0 ? absl::StrCat(picture.width, " \u00d7 ", picture.height) : "";
  const std::string mime = ImageMimeType(picture.bytes);
  if (repeated) {
    // The same picture as in the first match: the script puts it there, so that the page holds it once.
    image = absl::StrCat("<img class=\"again\" alt=\"", label, ": ", HtmlText(picture.name), "\">");
  } else if (!mime.empty()) {
    image = absl::StrCat("<img alt=\"", label, ": ", HtmlText(picture.name), "\" src=\"", DataUri(mime, picture.bytes),
                         "\">");
  } else {
    image = absl::StrCat("<div class=\"missing\"><p>No picture: ", HtmlText(picture.missing), "</p></div>");
  }
  return absl::StrCat("<figure class=\"picture\" data-side=\"", side, "\" data-width=\"", picture.width,
                      "\" data-height=\"", picture.height, "\" data-crops=\"", HtmlText(CropNumbers(picture)),
                      "\">\n<figcaption><b>", label, "</b> ", HtmlName(picture.name), size.empty() ? "" : " \u00b7 ",
                      size, "</figcaption>\n<div class=\"frame\">", image, "</div>\n</figure>\n");
}

// Hidden until the script runs: without it they would do nothing.
constexpr absl::string_view kControls = R"(<div class="controls" role="group" hidden aria-label="What is shown">
<label><input type="checkbox" name="lines" checked> Lines</label>
<label>strongest <input type="range" name="count" min="1" max="10" value="10"> <output></output></label>
<label><input type="checkbox" name="query_heat"> Heat-map of A</label>
<label><input type="checkbox" name="result_heat"> Heat-map of B</label>
<label>opacity <input type="range" name="opacity" min="10" max="100" value="65"></label>
<span class="legend">cosine <span class="low"></span><span class="ramp"></span><span class="high"></span></span>
<span class="legend">less <svg class="widths" viewBox="0 0 60 16" aria-hidden="true"></svg> more mass</span>
</div>
)";

constexpr absl::string_view kNoScript =
    R"(<noscript><p class="warning">Lines and heat-maps are drawn by JavaScript, which is off. The numbers are in the
tables.</p></noscript>
)";

std::string Match(const ExplainPage& page, size_t position, absl::string_view controls) {
  const PageMatch& match = page.matches[position];
  const bool explained = match.evidence.has_value();
  std::string out = "<section class=\"match\">\n";
  if (match.rank > 0) {
    absl::StrAppend(&out, "<h2>", match.rank, ". ", HtmlName(match.result.name));
    if (match.rank_before > 0 && match.rank_before != match.rank) {
      absl::StrAppend(&out, " <span class=\"note\">was ", match.rank_before, "</span>");
    }
    absl::StrAppend(&out, "</h2>\n");
  }
  const bool repeated = position > 0 && !ImageMimeType(page.query.bytes).empty();
  absl::StrAppend(&out, ScoreParts(match), controls, "<div class=\"stage\">\n",
                  Figure(page.query, "query", "A", repeated), Figure(match.result, "result", "B", false), "</div>\n");
  if (explained) {
    absl::StrAppend(&out, "<p class=\"readout\" role=\"status\"></p>\n",
                    "<script type=\"application/json\" class=\"numbers\">", PairNumbers(*match.evidence), "</script>\n",
                    "<details><summary>The numbers</summary>\n", PairTable(*match.evidence), "</details>\n");
  }
  return absl::StrCat(out, "</section>\n");
}

std::string Source(const ExplainPage& page) {
  std::string model = absl::StrCat(HtmlName(page.model.model()));
  if (!page.model.numeric().empty()) absl::StrAppend(&model, ", ", HtmlText(page.model.numeric()));
  if (!page.model.embedding_space().empty()) {
    absl::StrAppend(&model, ", embedding space <code>", HtmlText(page.model.embedding_space()), "</code>");
  }
  return absl::StrCat(
      "<section class=\"source\">\n<h2>How to read and repeat this</h2>\n"
      "<p>Each picture is a grid of patches. A line joins a patch of A with the patch of B that it was "
      "matched to: the thicker, the more mass was moved; the colour tells how alike the two are (their "
      "cosine). A heat-map shows how much of each patch was matched at all: dark is little, yellow is most.</p>\n",
      page.model.model().empty() ? "" : absl::StrCat("<p>Model: ", model, ".</p>\n"), "<p>", HtmlText(page.made),
      "</p>\n<pre>", HtmlText(page.command), "</pre>\n<details><summary>The request</summary>\n<pre>",
      HtmlText(page.request), "</pre></details>\n</section>\n");
}

// How many bytes at the start of both are the same folder.
size_t SharedFolder(absl::string_view a, absl::string_view b) {
  size_t folder = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()) && a[i] == b[i]; ++i) {
    if (a[i] == '/') folder = i + 1;
  }
  return folder;
}

std::string Head(absl::string_view title) {
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src ",
      CspHash(kExplainCss), "; script-src ", CspHash(kExplainJs), "; base-uri 'none'; form-action 'none'\">\n",
      "<meta name=\"referrer\" content=\"no-referrer\">\n",
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", HtmlText(title), "</title>\n<style>", kExplainCss,
      "</style>\n</head>\n");
}

}  // namespace

std::string RenderExplainPage(const ExplainPage& page) {
  // One match reads from its verdict down; over many, what is shown is chosen for all of them.
  const bool one = page.matches.size() == 1 && page.matches[0].rank == 0;
  std::string query = page.query.name;
  std::string other = one ? page.matches[0].result.name : "";
  // Two files of one folder are told apart by what is behind it; the captions have the whole names.
  const size_t folder = SharedFolder(query, other);
  query.erase(0, folder);
  other.erase(0, folder);
  std::string out = absl::StrCat(
      Head(one ? absl::StrCat(query, " and ", other) : absl::StrCat("Results for ", query)), "<body>\n<main>\n<h1>",
      one ? absl::StrCat(HtmlName(query), " and ", HtmlName(other)) : absl::StrCat("Results for ", HtmlName(query)),
      "</h1>\n");
  for (const std::string& warning : page.warnings) {
    absl::StrAppend(&out, "<p class=\"warning\" role=\"note\">", HtmlText(warning), "</p>\n");
  }
  absl::StrAppend(&out, one ? "" : kControls, kNoScript);
  for (size_t i = 0; i < page.matches.size(); ++i) absl::StrAppend(&out, Match(page, i, one ? kControls : ""));
  if (page.matches.empty()) absl::StrAppend(&out, "<p>Nothing was found.</p>\n");
  absl::StrAppend(&out, Source(page), "</main>\n<script>", kExplainJs, "</script>\n</body>\n</html>\n");
  return out;
}

}  // namespace sightline::cli
