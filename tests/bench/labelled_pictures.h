// Pictures of which it is known what they show, split into queries and a database, and their embeddings in memory: what
// ranking quality is measured on.
//
// Threading: call it from one thread. Ownership: values. Failure: Status of a file that cannot be read.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const LabelledFiles files, Groceries(shared_data, /*products=*/81));
//   SIGHTLINE_ASSIGN_OR_RETURN(const Models models, LoadForEachProcessor("model/zoo/dtop_tiny", {}));
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> queries, EmbedFiles(models, files.queries));
#ifndef SIGHTLINE_TESTS_BENCH_LABELLED_PICTURES_H_
#define SIGHTLINE_TESTS_BENCH_LABELLED_PICTURES_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "index/record.h"
#include "model/image/geometry.h"
#include "model/image/image.h"
#include "model/model.h"

namespace sightline::bench {

struct LabelledFile {
  std::string path;
  int object = 0;
  std::optional<image::CropBox> crop = std::nullopt;  // what of the picture is meant; all of it without one
};

struct LabelledFiles {
  std::vector<LabelledFile> queries;
  std::vector<LabelledFile> database;
};

// The photographs of FOLDER/grocery of the first `products` products: `test` asks, `train` is the database.
absl::StatusOr<LabelledFiles> Groceries(const std::string& folder, int products);

// A folder of `sightline-train scenes`; `hidden` becomes the mean share of the object that something hides in queries,
// where the folder says so, else 0.
absl::StatusOr<LabelledFiles> Scenes(const std::string& folder, double* hidden);

struct Picture {
  int object = 0;
  std::vector<float> descriptor;
  index::PatchTokens tokens;
};

// The pixels of `file` at full size, upright; of its crop alone where it has one.
absl::StatusOr<image::Image> ReadPicture(const LabelledFile& file);

// The same model several times, each with one thread of its own: no thread waits for another, so a busy machine costs
// no more than its share.
using Models = std::vector<std::unique_ptr<model::Model>>;

// `options.intra_op_threads` is set here.
absl::StatusOr<Models> LoadForEachProcessor(const std::string& folder, model::LoadOptions options);

// One thread for each of `models`. In the order of `files`.
absl::StatusOr<std::vector<Picture>> EmbedFiles(const Models& models, const std::vector<LabelledFile>& files);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_LABELLED_PICTURES_H_
