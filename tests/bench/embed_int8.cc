#include "tests/bench/embed_int8.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "model/calibration/calibration.h"
#include "model/image/decode.h"
#include "model/train/scene/dataset.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Pictures of textured objects: noise, which the timed images are, says nothing about descriptors.
absl::StatusOr<std::vector<std::string>> ScenePaths(const std::string& folder) {
  SIGHTLINE_RETURN_IF_ERROR(
      scene::GenerateScenes({.directory = folder, .instances = 8, .views = 2, .side = 512, .seed = 3}).status());
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".jpg") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

absl::StatusOr<std::vector<float>> DescribeFile(model::Model& model, const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, 16 << 20));
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image, image::Decode(bytes, {}, {}));
  SIGHTLINE_ASSIGN_OR_RETURN(const model::PreparedImage prepared, model.Prepare(image, std::nullopt));
  const model::PreparedImage* const batch[] = {&prepared};
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<model::Embedding> embeddings, model.Embed(batch));
  return std::move(embeddings.front().descriptor);
}

absl::Status Calibrate(const std::string& folder, absl::Span<const std::string> paths, int threads) {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto model,
                             model::Model::Load(folder, {.intra_op_threads = threads, .observe = true}));
  for (const std::string& path : paths) SIGHTLINE_RETURN_IF_ERROR(DescribeFile(*model, path).status());
  SIGHTLINE_ASSIGN_OR_RETURN(const model::Calibration calibration, model->MeasuredCalibration());
  return base::WriteFileDurably(absl::StrCat(folder, "/", model::kCalibrationFile),
                                model::CalibrationText(calibration));
}

absl::StatusOr<double> Took(model::Model& model, absl::Span<const model::PreparedImage* const> batch) {
  const auto start = Clock::now();
  SIGHTLINE_RETURN_IF_ERROR(model.Embed(batch).status());
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

absl::Status PrintCosines(const std::string& name, model::Model& fp32, model::Model& int8,
                          absl::Span<const std::string> paths) {
  std::vector<double> cosines;
  for (const std::string& path : paths) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> exact, DescribeFile(fp32, path));
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> coarse, DescribeFile(int8, path));
    cosines.push_back(std::inner_product(exact.begin(), exact.end(), coarse.begin(), 0.0));
  }
  const double mean = std::accumulate(cosines.begin(), cosines.end(), 0.0) / static_cast<double>(cosines.size());
  Print(PlainRow("embed", absl::StrCat(name, ", cosine to fp32, mean of ", cosines.size(), " scenes"), mean, "1"));
  Print(PlainRow("embed", absl::StrCat(name, ", cosine to fp32, least of ", cosines.size(), " scenes"), Least(cosines),
                 "1"));
  return absl::OkStatus();
}

}  // namespace

absl::Status CompareInt8(const std::string& folder, const std::string& name,
                         absl::Span<const model::PreparedImage* const> batch, int rounds, int threads) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> scenes,
                             ScenePaths((std::filesystem::path(folder).parent_path() / "scenes").string()));
  const absl::Span<const std::string> all = scenes;
  const size_t half = all.size() / 2;
  SIGHTLINE_RETURN_IF_ERROR(Calibrate(folder, all.subspan(0, half), threads));
  SIGHTLINE_ASSIGN_OR_RETURN(const auto fp32, model::Model::Load(folder, {.intra_op_threads = threads}));
  SIGHTLINE_ASSIGN_OR_RETURN(
      const auto int8, model::Model::Load(folder, {.intra_op_threads = threads, .numeric = model::Numeric::kInt8}));
  if (int8->info().numeric != "int8/cpu") return absl::OkStatus();

  std::vector<double> ours, peer;
  SIGHTLINE_RETURN_IF_ERROR(Took(*int8, batch).status());
  SIGHTLINE_RETURN_IF_ERROR(Took(*fp32, batch).status());
  for (int round = 0; round < rounds; ++round) {
    SIGHTLINE_ASSIGN_OR_RETURN(const double a, Took(*int8, batch));
    ours.push_back(a);
    SIGHTLINE_ASSIGN_OR_RETURN(const double b, Took(*fp32, batch));
    peer.push_back(b);
  }
  for (const bool best : {false, true}) {
    Row row =
        PlainRow("embed", best ? absl::StrCat(name, ", best round") : name, best ? Least(ours) : Median(ours), "ms");
    row.higher_is_better = false;
    row.peer = "Sightline fp32";
    row.peer_value = best ? Least(peer) : Median(peer);
    Print(row);
  }
  return PrintCosines(name, *fp32, *int8, all.subspan(half));
}

}  // namespace sightline::bench
