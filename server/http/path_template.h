// PathTemplate: the path of a google.api.http binding, such as /v1/{name=operations/*}:cancel, and what of an address
// it matches.
//
// Of the published grammar this is what the API uses: literal segments, {field} for one segment, {field=a/*} for
// literals and single segments, and a verb behind a colon. A variable's segments are decoded one by one, so that an id
// may hold %2F. An address whose last segment has a colon that is no verb of any template is matched without a verb:
// GET /v1/collections/shop/images/a:b is the image "a:b".
//
// Threading: immutable once made. Failure: INVALID_ARGUMENT for a template that is not understood.
//
//   const auto path = *PathTemplate::Parse("/v1/collections/{name}:get");
//   path.Match("/v1/collections/shop:get") -> {{"name", "shop"}}
#ifndef SIGHTLINE_SERVER_HTTP_PATH_TEMPLATE_H_
#define SIGHTLINE_SERVER_HTTP_PATH_TEMPLATE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

class PathTemplate {
 public:
  using Values = std::vector<std::pair<std::string, std::string>>;  // field path -> decoded text

  static absl::StatusOr<PathTemplate> Parse(absl::string_view text);

  // nullopt: another path. An error: this path, with a variable that cannot be decoded.
  absl::StatusOr<std::optional<Values>> Match(absl::string_view path) const;

  bool has_verb() const { return !verb_.empty(); }
  const std::vector<std::string>& fields() const { return fields_; }

 private:
  struct Segment {
    std::string literal;  // empty: any one segment
    int field = -1;       // of fields_, that the segment belongs to
  };

  std::vector<Segment> segments_;
  std::string verb_;
  std::vector<std::string> fields_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_PATH_TEMPLATE_H_
