// `sightline-bench zoo`: what one photograph costs with every model of model/zoo, at the model's own size and scales.
// The weights are seeded ones: time does not depend on their values.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "model/cpu.h"
#include "model/model.h"
#include "tests/bench/bench.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

// As cameras give them; every model makes its own size of it.
constexpr int kPhotoWidth = 1600;
constexpr int kPhotoHeight = 1200;

image::Image NoisePhoto() {
  image::Image photo;
  photo.width = photo.original_width = kPhotoWidth;
  photo.height = photo.original_height = kPhotoHeight;
  photo.rgb.resize(size_t{3} * kPhotoWidth * kPhotoHeight);
  std::mt19937 random(1);
  for (uint8_t& value : photo.rgb) value = static_cast<uint8_t>(random());
  return photo;
}

absl::Status MeasureZooModel(const std::string& folder, const image::Image& photo, int rounds) {
  const auto threads = static_cast<int>(std::thread::hardware_concurrency());
  SIGHTLINE_ASSIGN_OR_RETURN(const auto model,
                             model::Model::Load(folder, {.allow_untrained = true, .intra_op_threads = threads}));
  SIGHTLINE_ASSIGN_OR_RETURN(const model::PreparedImage prepared, model->Prepare(photo, std::nullopt));
  const model::PreparedImage* const batch[] = {&prepared};
  SIGHTLINE_RETURN_IF_ERROR(model->Embed(batch).status());  // packs weights and makes primitives
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    SIGHTLINE_RETURN_IF_ERROR(model->Embed(batch).status());
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  Print(PlainRow("zoo",
                 absl::StrCat(model->info().name, " ", prepared.bucket, ", ", model->info().parameters, " parameters"),
                 Median(times), "ms"));
  return absl::OkStatus();
}

}  // namespace

int RunZoo(bool quick) {
  model::UseWholeCpu();
  base::SetLogLevel(base::Severity::kError);
  PrintMachine("zoo");
  const image::Image photo = NoisePhoto();
  std::vector<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(SIGHTLINE_ZOO)) folders.push_back(entry.path().string());
  std::sort(folders.begin(), folders.end());
  if (quick) folders = {absl::StrCat(SIGHTLINE_ZOO, "/dtop_tiny")};
  int failed = 0;
  for (const std::string& folder : folders) {
    const absl::Status status = MeasureZooModel(folder, photo, quick ? 1 : 3);
    if (status.ok()) continue;
    std::fprintf(stderr, "sightline-bench: %s: %s\n", folder.c_str(), std::string(status.message()).c_str());
    failed = 1;
  }
  return failed;
}

}  // namespace sightline::bench
