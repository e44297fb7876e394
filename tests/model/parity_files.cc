#include "tests/model/parity_files.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "gtest/gtest.h"
#include "model/weights/safetensors.h"

namespace sightline::model {

void Randomise(const std::vector<NamedTensor>& tensors) {
  torch::NoGradGuard no_grad;
  for (const NamedTensor& target : tensors) {
    torch::Tensor tensor = target.tensor;
    if (target.name.ends_with("running_var")) {
      tensor.uniform_(0.5, 2);
    } else if (tensor.dim() == 1 && target.name.ends_with("weight")) {
      tensor.uniform_(0.5, 1.5);
    } else if (tensor.dim() == 1) {
      tensor.uniform_(-0.5, 0.5);
    } else {
      tensor.normal_(0, 1.2 / std::sqrt(static_cast<double>(tensor.numel() / tensor.size(0))));
    }
    if (target.name.ends_with("fuse.w")) tensor.copy_(torch::tensor({0.7f, 1.6f}));
  }
}

void WriteTensors(const std::filesystem::path& path, const Tensors& tensors) {
  std::vector<torch::Tensor> held;
  std::vector<weights::TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    held.push_back(tensor.detach().contiguous());
    const auto bytes = static_cast<size_t>(held.back().numel()) * sizeof(float);
    views.push_back({name,
                     weights::DType::kF32,
                     held.back().sizes().vec(),
                     {reinterpret_cast<const char*>(held.back().data_ptr<float>()), bytes}});
  }
  const auto file = weights::SerializeSafetensors(views, {});
  ASSERT_TRUE(file.ok()) << file.status();
  std::ofstream(path, std::ios::binary) << *file;
}

ParityFolder::ParityFolder()
    : path_(std::filesystem::path(::testing::TempDir()) /
            (std::string("parity_") + ::testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() + "_" +
             std::to_string(::getpid()))) {
  std::filesystem::create_directories(path_);
}

ParityFolder::~ParityFolder() { std::filesystem::remove_all(path_); }

int RunReference(const std::string& script, const std::filesystem::path& folder) {
  const std::string command =
      "/usr/bin/python3 " + std::string(SIGHTLINE_PARITY) + "/" + script + " " + folder.string() + " 2>&1";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace sightline::model
