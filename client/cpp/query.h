// Query: what to look for, as a program has it: an image file, image bytes, a stored id or a descriptor.
//
// Threading: a value; use one object from one thread at a time. Ownership: holds copies of what it is given.
// Failure: Build reports a file that cannot be read or is larger than the limit.
//
//   client->Search({.collection = "shop", .query = Query::ImageFile("shoe.jpg").Crop(0.2, 0.1, 0.8, 0.9)});
//
// Queries of several weighted parts are written with the API's own message, v1::Query.
#ifndef SIGHTLINE_CLIENT_CPP_QUERY_H_
#define SIGHTLINE_CLIENT_CPP_QUERY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::client {

class Query {
 public:
  // Looks for nothing: the server refuses it.
  Query() = default;

  // An encoded JPEG, PNG or WebP file, read when the search is made.
  static Query ImageFile(std::string path);
  // An encoded JPEG, PNG or WebP image.
  static Query Image(std::string bytes);
  // An image of the collection searched.
  static Query Id(std::string id);
  // A descriptor of the collection's embedding space.
  static Query Descriptor(std::vector<float> values, std::string embedding_space);

  // With a descriptor: its patch tokens, as Embed returned them, for re-ranking.
  Query& Tokens(v1::PatchTokens tokens);

  // Looks only at this box of the image; several boxes share the weight. x0 < x1, y0 < y1, origin at the top left.
  Query& Crop(double x0, double y0, double x1, double y1, v1::CropBox::Unit unit = v1::CropBox::UNIT_FRACTION);

  // The query as the API takes it. An image file of more than `max_image_bytes` is refused before it is read.
  absl::StatusOr<v1::Query> Build(int64_t max_image_bytes) const;

  // The same as one of the two images of an explanation: an image, with at most one box, or an id.
  absl::StatusOr<v1::ExplainImage> BuildExplain(int64_t max_image_bytes) const;

 private:
  v1::QueryPart part_;
  std::optional<std::string> path_;
};

// One search, with the API's defaults.
struct SearchOptions {
  std::string collection = {};
  Query query = {};
  int top_k = 10;
  int offset = 0;
  std::string filter = {};
  std::optional<double> min_score = std::nullopt;
  std::string group_by = {};  // an attribute's key
  int group_size = 0;         // results per group; 0: 1
  bool exact = false;
  std::optional<int> ef_search = std::nullopt;
  std::optional<int> nprobe = std::nullopt;
  v1::QueryExpansion expansion = {};
  v1::RerankOptions rerank = {};    // by patches; the model's default
  v1::ExplainOptions explain = {};  // evidence for the best results
  bool return_attributes = false;
  std::string request_id = {};
};

// Why two images match, with the API's defaults.
struct MatchOptions {
  std::string collection = {};  // needed for ids
  Query query = {};
  Query result = {};
  v1::RerankOptions rerank = {};
  v1::ExplainOptions options = {};
};

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_QUERY_H_
