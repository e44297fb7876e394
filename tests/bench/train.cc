// `sightline-bench train`: photographs per second that training takes in, from JPEG files to changed weights, beside
// PyTorch eager training the same network from the same values on the same files. Ours and the peer's epochs alternate:
// what else the machine does meets both alike. Every turn is an epoch of its own, with nothing loaded ahead of it.
//
// Both have as many threads that compute and as many that load photographs (the peer: worker processes) as the machine
// has processors, which is what sightline-train does.
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "model/cpu.h"
#include "model/train/run/checkpoint.h"
#include "model/train/run/feed.h"
#include "model/train/run/forward.h"
#include "model/train/run/initialise.h"
#include "model/train/run/learner.h"
#include "model/train/scene/dataset.h"
#include "tests/bench/bench.h"
#include "tests/bench/report.h"
#include "tests/bench/train_peer.h"

namespace sightline::bench {
namespace {

constexpr int kBatch = 32;
constexpr int kSide = 160;
constexpr int kComparedImages = 4;
constexpr int64_t kSteps = 1000;  // of the run that the turns are cut out of
constexpr double kMostDifference = 1e-3;

struct Effort {
  int photo_side = 320;
  int64_t batches = 8;  // of an epoch
  int turns = 5;
  bool parts = true;  // also learning and loading alone
};

train::TrainConfig Recipe(const std::string& scenes, const Effort& effort) {
  train::TrainConfig config;
  config.data = {.layout = train::DatasetLayout::kCsv, .root = scenes, .list = "labels.csv"};
  config.sampler = {.batch = kBatch, .sizes = {{.width = kSide, .height = kSide}}, .batches = effort.batches};
  config.augment = {.crop_area = 0.4, .crop_stretch = 1.3, .flip = 0.5, .brightness = 0.3};
  config.loss = {.kind = train::LossKind::kArcFace};
  config.schedule = {.warmup_steps = 10};
  config.clip = 5;
  return config;
}

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

// Our side: a network, what feeds it and what teaches it.
class Ours {
 public:
  static absl::StatusOr<std::unique_ptr<Ours>> Build(const train::TrainConfig& config, int threads) {
    auto ours = std::make_unique<Ours>();
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text,
                               base::ReadFile(absl::StrCat(SIGHTLINE_ZOO, "/dtop_tiny/model.json"), 1 << 20));
    SIGHTLINE_ASSIGN_OR_RETURN(ours->start, train::Initialise(text, std::nullopt, config.seed));
    SIGHTLINE_ASSIGN_OR_RETURN(ours->feed, train::Feed::Open(config, threads));
    const auto classes = static_cast<int64_t>(ours->feed->dataset().classes.size());
    SIGHTLINE_ASSIGN_OR_RETURN(ours->learner, train::Learner::Build(config, ours->start, classes, torch::kCPU));
    return ours;
  }

  // A model directory for the peer.
  absl::Status Write(const std::string& folder) const {
    SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(folder));
    SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(folder + "/model.json", start.model_json));
    return train::WriteTensorFile(folder + "/weights.safetensors", learner->values(), {});
  }

  torch::Tensor Descriptors(const torch::Tensor& images) const {
    const torch::NoGradGuard no_grad;
    start.network->eval();
    const torch::Tensor raw = train::ForwardNetwork(*start.network, start.config, images, 0).descriptor;
    start.network->train();
    return torch::nn::functional::normalize(raw).contiguous();
  }

  // Seconds of one epoch of `part`, as TrainingPeer::Run.
  absl::StatusOr<double> Run(const std::string& part, int64_t batches) {
    const auto begin = std::chrono::steady_clock::now();
    if (part != "step") SIGHTLINE_RETURN_IF_ERROR(feed->Seek({.epoch = epoch++}));
    for (int64_t i = 0; i < batches; ++i) {
      if (part != "step") {
        SIGHTLINE_ASSIGN_OR_RETURN(batch, feed->Next());
      }
      if (part == "load") continue;
      if (!learner->Step(batch, {.step = step++ % kSteps, .steps = kSteps}).finite) {
        return absl::InternalError("the loss is not finite.");
      }
    }
    return Seconds(begin);
  }

  train::StartingPoint start;
  std::unique_ptr<train::Feed> feed;
  std::unique_ptr<train::Learner> learner;
  train::LoadedBatch batch;  // the last one
  int64_t epoch = 0;
  int64_t step = 0;
};

double Difference(const torch::Tensor& ours, const std::vector<float>& peer) {
  if (ours.numel() != static_cast<int64_t>(peer.size())) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < peer.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(ours.data_ptr<float>()[i]) - peer[i]));
  }
  return largest;
}

void Report(const std::string& name, double photos, const std::vector<double>& ours, const std::vector<double>& theirs,
            const std::string& peer) {
  for (const bool best : {false, true}) {
    Row row = PlainRow("train", best ? absl::StrCat(name, ", best turn") : name,
                       photos / (best ? Least(ours) : Median(ours)), "images/s");
    row.peer = peer;
    row.peer_value = photos / (best ? Least(theirs) : Median(theirs));
    Print(row);
  }
}

absl::Status Compare(const std::string& folder, const Effort& effort, int threads, TrainingPeer& peer) {
  const std::string scenes = folder + "/scenes";
  const auto made =
      scene::GenerateScenes({.directory = scenes, .instances = 48, .views = 6, .side = effort.photo_side, .seed = 1});
  if (!made.ok()) return made.status();
  const train::TrainConfig config = Recipe(scenes, effort);
  SIGHTLINE_ASSIGN_OR_RETURN(const auto ours, Ours::Build(config, threads));
  SIGHTLINE_RETURN_IF_ERROR(ours->Write(folder + "/model"));

  torch::manual_seed(1);
  const torch::Tensor images = torch::rand({kComparedImages, 3, kSide, kSide}) * 2 - 1;
  const std::string images_path = folder + "/images";
  std::ofstream(images_path, std::ios::binary)
      .write(reinterpret_cast<const char*>(images.data_ptr<float>()),
             static_cast<std::streamsize>(images.numel() * sizeof(float)));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> theirs, peer.Load({.model = folder + "/model",
                                                                         .images = images_path,
                                                                         .shape = images.sizes().vec(),
                                                                         .dataset = &ours->feed->dataset(),
                                                                         .config = &config,
                                                                         .workers = threads}));
  const double difference = Difference(ours->Descriptors(images), theirs);
  Print(PlainRow("train", "dtop_tiny, largest difference of a descriptor value", difference, "1"));
  if (!(difference < kMostDifference)) {
    return absl::InternalError(absl::StrCat("a descriptor value of the peer differs from ours by ", difference,
                                            "; at most ", kMostDifference, " is the same computation."));
  }

  const std::string name = absl::StrCat("dtop_tiny ", kSide, "x", kSide, " fp32 b", kBatch);
  const std::string peer_name =
      absl::StrCat(peer.name(), ", channels_last, ", threads, " threads and ", threads, " workers");
  const auto photos = static_cast<double>(effort.batches * kBatch);
  std::vector<std::pair<std::string, std::string>> parts = {{"all", name}};
  if (effort.parts) {
    parts.insert(parts.end(), {{"step", name + ", learning alone"}, {"load", name + ", loading alone"}});
  }
  for (const auto& [part, title] : parts) {
    std::vector<double> our_turns, peer_turns;
    // The first turn warms up.
    for (int turn = 0; turn <= effort.turns; ++turn) {
      SIGHTLINE_ASSIGN_OR_RETURN(const double our_turn, ours->Run(part, effort.batches));
      SIGHTLINE_ASSIGN_OR_RETURN(const double peer_turn, peer.Run(part));
      if (turn == 0) continue;
      our_turns.push_back(our_turn);
      peer_turns.push_back(peer_turn);
    }
    Report(title, photos, our_turns, peer_turns, peer_name);
  }
  return absl::OkStatus();
}

absl::Status RunAllOfTraining(const std::string& folder, bool quick) {
  const auto threads = static_cast<int>(std::thread::hardware_concurrency());
  // Before this process has threads of its own.
  SIGHTLINE_ASSIGN_OR_RETURN(const auto peer, TrainingPeer::Start(threads));
  PrintMachine("train");
  at::set_num_threads(threads);
  return Compare(folder, quick ? Effort{.batches = 2, .turns = 3, .parts = false} : Effort{}, threads, *peer);
}

}  // namespace

int RunTrain(bool quick) {
  model::UseWholeCpu();
  base::SetLogLevel(base::Severity::kWarning);
  std::string folder = (std::filesystem::temp_directory_path() / "sightline-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  absl::Status status;
  try {
    status = RunAllOfTraining(folder, quick);
  } catch (const std::exception& error) {
    status = absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
  std::filesystem::remove_all(folder);
  if (!status.ok()) std::fprintf(stderr, "train: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace sightline::bench
