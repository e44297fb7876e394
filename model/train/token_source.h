// Where a token projection gets its patch tokens from: a folder of images, or a file written by `sightline export`. A
// fifth of the images is left out of the fit, to measure it on.
//
// Threading: pure functions; the model they are given belongs to them meanwhile. Failure: Status that names the file;
// TOKENS_TOO_FEW with fewer than five images that have tokens.
//
//   auto source = TokensOfFolder(*model, 384, "photos");
//   auto basis = source->moments.Fit(128);
#ifndef SIGHTLINE_MODEL_TRAIN_TOKEN_SOURCE_H_
#define SIGHTLINE_MODEL_TRAIN_TOKEN_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/model.h"
#include "model/train/token_pca.h"

namespace sightline::train {

class TokenSource {
 public:
  explicit TokenSource(int64_t dim) : moments(dim) {}

  // The tokens (n, dim) of one image: into the fit, or among those left out.
  void AddImage(std::vector<float> tokens);
  // Ends the reading. `where` names the source.
  absl::Status Finish(const std::string& where);

  TokenMoments moments;
  int64_t images = 0;
  int64_t skipped = 0;          // files that are no readable image
  std::vector<float> left_out;  // (at most 2,048, dim), evenly from the images left out

 private:
  void Thin(size_t most);
};

// `model` is loaded with whole_tokens; `dim` is its backbone's.
absl::StatusOr<TokenSource> TokensOfFolder(model::Model& model, int64_t dim, const std::string& folder);

// The tokens of an exported collection, as they are after the projection of the model that made them. SPACE_MISMATCH
// where that is not `model`.
absl::StatusOr<TokenSource> TokensOfExport(const model::ModelInfo& model, const std::string& path);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_TOKEN_SOURCE_H_
