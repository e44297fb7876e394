// ExplainPage: why images match, as one HTML file that needs nothing else: the pictures, the lines between the patches
// that match, the heat-maps, the parts of the score, and how to make it again.
//
// The page asks the network for nothing and runs from a file: its Content-Security-Policy allows data: pictures and,
// by hash, its own style and script. Whatever comes from outside passes HtmlText; the script reads numbers alone.
//
// Threading: pure functions. Failure: none; a picture that is not there is a grey field with the reason.
//
//   ExplainPage page{.query = picture, .matches = {{.result = other, .evidence = response.evidence()}}};
//   base::WriteFileDurably("why.html", RenderExplainPage(page));
#ifndef SIGHTLINE_CLIENT_CLI_EXPLAIN_PAGE_H_
#define SIGHTLINE_CLIENT_CLI_EXPLAIN_PAGE_H_

#include <optional>
#include <string>
#include <vector>

#include "sightline/v1/search_service.pb.h"

namespace sightline::cli {

struct PagePicture {
  std::string name = {};                // a path or an id
  std::string bytes = {};               // a JPEG, PNG or WebP file as it is; empty where there is none
  std::string missing = {};             // why there is none, a sentence
  int width = 0, height = 0;            // after EXIF orientation; 0 where not known
  std::vector<v1::CropBox> crops = {};  // the parts that were looked at; none for the whole
};

struct PageMatch {
  PagePicture result = {};
  std::optional<v1::Evidence> evidence = std::nullopt;
  int rank = 0;         // of a search, from 1; 0 for a single match
  int rank_before = 0;  // before re-ranking; 0 where not re-ranked
  double score = 0;     // where there is no evidence
  std::optional<double> confidence = std::nullopt;
};

struct ExplainPage {
  PagePicture query = {};
  std::vector<PageMatch> matches = {};
  v1::ModelUse model = {};
  std::vector<std::string> warnings = {};  // sentences
  std::string command = {};
  std::string request = {};  // as JSON, without image bytes
  std::string made = {};     // when and by what
};

std::string RenderExplainPage(const ExplainPage& page);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EXPLAIN_PAGE_H_
