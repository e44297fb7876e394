// The peer of `sightline-bench train`: PyTorch eager in a Python process of its own (train_reference.py), which has
// worker processes to load photographs.
//
// Threading: one thread. Ownership: the processes end with the object. Failure: Status; UNAVAILABLE without
// python3-torch, python3-torchvision or python3-pil.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto peer, TrainingPeer::Start(/*threads=*/2));
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> descriptors, peer->Load(task));
//   SIGHTLINE_ASSIGN_OR_RETURN(const double seconds, peer->Run("all"));
#ifndef SIGHTLINE_TESTS_BENCH_TRAIN_PEER_H_
#define SIGHTLINE_TESTS_BENCH_TRAIN_PEER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/dataset.h"
#include "model/train/run/train_config.h"
#include "tests/bench/python_peer.h"

namespace sightline::bench {

class TrainingPeer {
 public:
  struct Task {
    std::string model;           // directory with weights
    std::string images;          // a file of float32 images, to compare descriptors
    std::vector<int64_t> shape;  // theirs: B, 3, H, W
    const train::Dataset* dataset = nullptr;
    const train::TrainConfig* config = nullptr;  // batches, augmentation, loss, optimiser and clipping are read
    int workers = 1;
  };

  static absl::StatusOr<std::unique_ptr<TrainingPeer>> Start(int threads);

  // Makes ready to train; the descriptors of the task's images before that, L2-normalised, one after the other.
  absl::StatusOr<std::vector<float>> Load(const Task& task);

  // Seconds of one epoch of `part`: "all", "load" or "step".
  absl::StatusOr<double> Run(const std::string& part);

  // "PyTorch 1.13.0 eager, AVX512"
  const std::string& name() const { return name_; }

 private:
  explicit TrainingPeer(std::unique_ptr<PythonPeer> process) : process_(std::move(process)) {}

  const std::unique_ptr<PythonPeer> process_;
  std::string name_;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_TRAIN_PEER_H_
