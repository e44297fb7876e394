// Every planned layer on the engine against the same layer's plain LibTorch operations, norms and attention against the
// definition in double precision: random, odd-sized, single-row, strided and degenerate inputs.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/backbone/attention.h"
#include "model/backbone/attention_training.h"
#include "model/layers/conv.h"
#include "model/layers/linear.h"
#include "model/layers/norm.h"

namespace sightline::model {
namespace {

constexpr int kFastPathSeed = 4;
constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kGelu,
                                       Activation::kQuickGelu};

class FastPath : public ::testing::Test {
 protected:
  FastPath() {
    std::printf("seed %d\n", kFastPathSeed);
    torch::manual_seed(kFastPathSeed);
  }

  // Every parameter away from its identity.
  static void Fill(torch::nn::Module& module) {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor parameter : module.parameters()) {
      if (parameter.dim() == 1) {
        parameter.uniform_(-1.5, 1.5);
      } else {
        parameter.normal_(0, 1 / std::sqrt(static_cast<double>(parameter.numel() / parameter.size(0))));
      }
    }
    for (const auto& buffer : module.named_buffers()) {
      torch::Tensor values = buffer.value();
      if (values.dim() == 1) values.uniform_(0.5, 2);
    }
  }

  // With gradients on, a layer ignores its plan.
  template <class Work>
  static torch::Tensor Plainly(const Work& work) {
    const torch::AutoGradMode gradients(true);
    return work().detach();
  }

  template <class Work>
  static torch::Tensor Fast(const Work& work) {
    const torch::NoGradGuard no_grad;
    return work();
  }

  static void ExpectNear(const torch::Tensor& have, const torch::Tensor& want, const std::string& what) {
    ASSERT_EQ(have.sizes(), want.sizes()) << what;
    ASSERT_TRUE(torch::isfinite(have).all().item<bool>()) << what;
    const double scale = std::max(1.0, want.abs().max().item<double>());
    EXPECT_LE((have - want).abs().max().item<double>(), 2e-5 * scale) << what;
  }
};

TEST_F(FastPath, LinearOfAnyRowsAndActivation) {
  for (const bool bias : {true, false}) {
    Linear linear(37, 53, bias);
    Fill(linear);
    PlanInference(linear);
    for (const std::vector<int64_t>& sizes :
         std::vector<std::vector<int64_t>>{{37}, {1, 37}, {9, 37}, {3, 197, 37}, {1, 1, 37}, {2, 3, 5, 37}}) {
      const torch::Tensor x = 2 * torch::randn(sizes);
      for (const Activation activation : kActivations) {
        const auto work = [&] { return linear.Forward(x, activation); };
        ExpectNear(Fast(work), Plainly(work), "linear");
      }
      const torch::Tensor residual = torch::randn(Plainly([&] { return linear.Forward(x); }).sizes());
      const auto add = [&] { return linear.AddTo(residual.clone(), x); };
      ExpectNear(Fast(add), Plainly(add), "sum");
    }
  }
}

TEST_F(FastPath, LinearOfStridedInputs) {
  Linear linear(24, 40);
  Fill(linear);
  PlanInference(linear);
  const torch::Tensor wide = torch::randn({5, 17, 30});
  for (const torch::Tensor& x : {wide.narrow(2, 3, 24), wide.narrow(2, 0, 24).select(1, 0),
                                 torch::randn({5, 24, 17}).transpose(1, 2), torch::randn({1, 24}).expand({6, 24})}) {
    const auto work = [&] { return linear.Forward(x, Activation::kGelu); };
    ExpectNear(Fast(work), Plainly(work), "strided");
  }
  const torch::Tensor residual = torch::randn({40, 5}).t();
  const auto add = [&] { return linear.AddTo(residual, wide.narrow(2, 0, 24).select(1, 0)); };
  const torch::Tensor want = Plainly(add);
  ExpectNear(Fast(add), want, "sum into a transposed residual");
}

TEST_F(FastPath, SumIsWrittenIntoTheResidual) {
  Linear linear(16, 16);
  Fill(linear);
  PlanInference(linear);
  const torch::Tensor residual = torch::randn({4, 16});
  EXPECT_EQ(Fast([&] { return linear.AddTo(residual, torch::randn({4, 16})); }).data_ptr(), residual.data_ptr());
}

TEST_F(FastPath, TrainingIgnoresThePlan) {
  Linear linear(8, 8);
  Fill(linear);
  PlanInference(linear);
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({2, 8});
  linear.parameters()[0].mul_(2);
  const torch::Tensor planned = linear.Forward(x);
  linear.train();
  EXPECT_GT((linear.Forward(x) - planned).abs().max().item<double>(), 1e-3) << "the old weights are still in use";
}

TEST_F(FastPath, ConvolutionsOfEveryShape) {
  const ConvShape shapes[] = {
      {.in = 3, .out = 16, .kernel = 7, .stride = 2, .padding = 3},
      {.in = 3, .out = 20, .kernel = 4, .stride = 4},
      {.in = 3, .out = 20, .kernel = 16, .stride = 16, .bias = false},
      {.in = 16, .out = 40},
      {.in = 40, .out = 16, .stride = 2, .bias = false},
      {.in = 16, .out = 16, .kernel = 3, .padding = 1},
      {.in = 16, .out = 24, .kernel = 3, .stride = 2, .padding = 1, .bias = false},
      {.in = 16, .out = 24, .kernel = 3, .padding = 6, .dilation = 6},
      {.in = 48, .out = 48, .kernel = 3, .padding = 1, .groups = 48},
      {.in = 48, .out = 48, .kernel = 3, .stride = 2, .padding = 1, .groups = 48, .bias = false},
      {.in = 24, .out = 36, .kernel = 3, .padding = 1, .groups = 4},
      {.in = 7, .out = 5, .kernel = 3, .padding = 1},
  };
  for (const ConvShape& shape : shapes) {
    Conv conv(shape);
    Fill(conv);
    PlanInference(conv);
    for (const std::vector<int64_t>& size : std::vector<std::vector<int64_t>>{{1, 33, 18}, {3, 16, 31}, {9, 17, 17}}) {
      const torch::Tensor x = torch::randn({size[0], shape.in, size[1], size[2]});
      for (const torch::Tensor& source : {x, x.contiguous(torch::MemoryFormat::ChannelsLast)}) {
        for (const Activation activation : kActivations) {
          const auto work = [&] { return conv.Forward(source, activation); };
          ExpectNear(Fast(work), Plainly(work), "kernel " + std::to_string(shape.kernel));
        }
      }
    }
  }
}

TEST_F(FastPath, ConvolutionOfOnePixel) {
  Conv conv({.in = 32, .out = 12});
  Fill(conv);
  PlanInference(conv);
  const torch::Tensor x = torch::randn({2, 32, 1, 1});
  const auto work = [&] { return conv.Forward(x, Activation::kRelu); };
  ExpectNear(Fast(work), Plainly(work), "1x1 map");
}

TEST_F(FastPath, FoldedBatchNorm) {
  for (const bool bias : {true, false}) {
    auto conv = std::make_shared<Conv>(ConvShape{.in = 16, .out = 32, .kernel = 3, .padding = 1, .bias = bias});
    auto norm = std::make_shared<BatchNorm>(32);
    Fill(*conv);
    Fill(*norm);
    conv->eval();
    norm->eval();
    ConvNorm folded(conv, norm);
    Fast([&] {
      folded.Plan({});
      return torch::Tensor();
    });
    for (const int64_t batch : {1, 4}) {
      const torch::Tensor x = torch::randn({batch, 16, 9, 14});
      for (const Activation activation : kActivations) {
        const auto work = [&] { return folded.Forward(x, activation); };
        ExpectNear(Fast(work), Plainly(work), "folded");
      }
      const torch::Tensor residual = torch::randn({batch, 32, 9, 14});
      for (const torch::Tensor& sum : {residual, residual.contiguous(torch::MemoryFormat::ChannelsLast)}) {
        const auto add = [&] { return folded.AddToAndRelu(sum.clone(), x); };
        ExpectNear(Fast(add), Plainly(add), "sum and ReLU");
      }
    }
  }
}

TEST_F(FastPath, StandardisedConvolutionWithSamePadding) {
  struct Case {
    int64_t in, out, kernel, stride;
  };
  for (const Case& shape : {Case{3, 8, 7, 2}, Case{8, 16, 3, 1}, Case{8, 16, 3, 2}, Case{16, 8, 1, 2}}) {
    StdConv conv(shape.in, shape.out, shape.kernel, shape.stride);
    Fill(conv);
    PlanInference(conv);
    for (const int64_t size : {7, 8, 30, 31}) {
      const torch::Tensor x = torch::randn({2, shape.in, size, size + 5});
      const auto work = [&] { return conv.Forward(x); };
      ExpectNear(Fast(work), Plainly(work), "standardised, size " + std::to_string(size));
    }
  }
}

TEST_F(FastPath, MaxPools) {
  for (const int64_t channels : {5, 16, 48}) {
    for (const int64_t size : {1, 2, 7, 12, 31}) {
      const torch::Tensor x = torch::randn({2, channels, size, size + 3}) - 5;
      ExpectNear(Fast([&] { return MaxPoolSame(x); }), Plainly([&] { return MaxPoolSame(x); }), "SAME");
      ExpectNear(Fast([&] { return MaxPoolPadded(x); }), Plainly([&] { return MaxPoolPadded(x); }), "padded");
    }
  }
}

// (x - mean) / sqrt(var + epsilon) over the last dimension.
torch::Tensor Normalised(const torch::Tensor& x, double epsilon) {
  const torch::Tensor centred = x - x.mean(-1, /*keepdim=*/true);
  return centred / torch::sqrt(centred.square().mean(-1, /*keepdim=*/true) + epsilon);
}

TEST_F(FastPath, LayerNormOfAnyWidth) {
  for (const int64_t dim : {1, 5, 32, 192, 771}) {
    LayerNorm norm(dim);
    Fill(norm);
    PlanInference(norm);
    for (const double offset : {0.0, 50.0}) {
      for (const int64_t rows : {1, 65}) {
        const torch::Tensor x = torch::randn({rows, dim}) + offset;
        const torch::Tensor want =
            Normalised(x.to(torch::kDouble), 1e-6) * norm.parameters()[0].detach() + norm.parameters()[1].detach();
        ExpectNear(Fast([&] { return norm.Forward(x); }), want.to(torch::kFloat), "layer norm");
      }
    }
  }
}

TEST_F(FastPath, GroupNormWithItsEpilogues) {
  constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;
  struct Case {
    int64_t groups, channels, batch, height, width;
    double offset;
  };
  for (const Case& shape : {Case{4, 8, 2, 5, 7, 0}, Case{32, 64, 1, 48, 36, 0}, Case{32, 256, 3, 13, 11, 0},
                            Case{3, 21, 9, 20, 17, 0}, Case{32, 64, 1, 48, 36, 50}, Case{4, 8, 1, 1, 2, 0}}) {
    GroupNorm norm(shape.groups, shape.channels);
    Fill(norm);
    PlanInference(norm);
    const torch::Tensor x = (torch::randn({shape.batch, shape.channels, shape.height, shape.width}) + shape.offset)
                                .contiguous(kChannelsLast);
    const torch::Tensor residual = torch::randn(x.sizes()).contiguous(kChannelsLast);
    // LibTorch's own sums lose digits far from zero.
    const torch::Tensor normalised =
        Normalised(x.to(torch::kDouble).contiguous().view({shape.batch, shape.groups, -1}), 1e-5).view(x.sizes());
    const auto channel = [&](size_t i) { return norm.parameters()[i].detach().view({1, -1, 1, 1}); };
    const torch::Tensor want = (normalised * channel(0) + channel(1)).to(torch::kFloat);
    for (const Activation activation : kActivations) {
      ExpectNear(Fast([&] { return norm.Forward(x.clone(), activation); }), Activate(want, activation), "group norm");
    }
    ExpectNear(Fast([&] { return norm.AddToAndRelu(residual, x.clone()); }), torch::relu(want + residual),
               "group norm, sum and ReLU");
    if (shape.offset == 0) {
      ExpectNear(Fast([&] { return norm.Forward(x.contiguous(), Activation::kRelu); }), torch::relu(want), "planes");
      ExpectNear(Plainly([&] { return norm.Forward(x, Activation::kRelu); }), torch::relu(want), "plain");
    }
  }
}

TEST_F(FastPath, GroupNormOfAConstantMapIsItsBias) {
  GroupNorm norm(4, 16);
  Fill(norm);
  PlanInference(norm);
  const torch::Tensor x = torch::full({1, 16, 30, 20}, 1234.5).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor bias = norm.parameters()[1].detach().view({1, 16, 1, 1});
  ExpectNear(Fast([&] { return norm.Forward(x.clone()); }), bias.expand_as(x), "constant map");
}

// Softmax attention, spelt out.
torch::Tensor AttentionReference(const torch::Tensor& qkv, int64_t heads, torch::Tensor* first_query) {
  const int64_t dim = qkv.size(2) / 3 / heads;
  const torch::Tensor parts =
      qkv.to(torch::kDouble).view({qkv.size(0), qkv.size(1), 3, heads, dim}).permute({2, 0, 3, 1, 4});
  const torch::Tensor scores =
      torch::softmax(torch::matmul(parts[0], parts[1].transpose(-1, -2)) / std::sqrt(static_cast<double>(dim)), -1);
  *first_query = scores.select(2, 0).mean(1).narrow(1, 1, qkv.size(1) - 1).to(torch::kFloat);
  return torch::matmul(scores, parts[2]).transpose(1, 2).flatten(2).to(torch::kFloat);
}

TEST_F(FastPath, AttentionOfAnyLength) {
  struct Case {
    int64_t batch, tokens, dim, heads;
    double scale;
  };
  // The longest spans several blocks of queries; large scales make rows of the softmax nearly one-hot.
  for (const Case& shape : {Case{1, 2, 8, 1, 1}, Case{2, 50, 24, 3, 1}, Case{3, 197, 64, 4, 1}, Case{1, 1025, 32, 2, 1},
                            Case{1, 70, 32, 2, 30}, Case{9, 5, 12, 3, 1}}) {
    Attention attention(shape.dim, shape.heads);
    Fill(attention);
    PlanInference(attention);
    const torch::Tensor x = shape.scale * torch::randn({shape.batch, shape.tokens, shape.dim});
    torch::Tensor have_first, want_first;
    const torch::Tensor have = Fast([&] { return attention.Forward(x, &have_first); });
    const torch::NoGradGuard no_grad;
    const auto named = attention.named_parameters();
    const torch::Tensor qkv = torch::linear(x, named["qkv.weight"], named["qkv.bias"]);
    const torch::Tensor mixed = AttentionReference(qkv, shape.heads, &want_first);
    ExpectNear(have, torch::linear(mixed, named["proj.weight"], named["proj.bias"]), "attention");
    ExpectNear(have_first, want_first, "attention of the class token");
    torch::Tensor plain_first;
    ExpectNear(Plainly([&] { return attention.Forward(x, &plain_first); }), have, "plain attention");
  }
}

// Training's own step of the graph against the same attention in double precision, whose gradients are LibTorch's.
TEST_F(FastPath, AttentionInTraining) {
  struct Case {
    int64_t batch, tokens, dim, heads;
    double scale;
  };
  for (const Case& shape : {Case{1, 1, 4, 1, 1}, Case{1, 2, 8, 1, 1}, Case{2, 50, 24, 3, 1}, Case{3, 197, 64, 4, 1},
                            Case{1, 1025, 32, 2, 1}, Case{1, 70, 32, 2, 4}, Case{9, 5, 12, 3, 1}}) {
    SCOPED_TRACE(shape.tokens);
    const torch::Tensor values = shape.scale * torch::randn({shape.batch, shape.tokens, 3 * shape.dim});
    const torch::Tensor weights = torch::randn({shape.batch, shape.tokens, shape.dim});
    const torch::Tensor have_in = values.clone().requires_grad_();
    const torch::Tensor want_in = values.to(torch::kDouble).requires_grad_();
    const torch::Tensor have = AttendTraining(have_in, shape.heads);
    const torch::Tensor parts = want_in.view({shape.batch, shape.tokens, 3, shape.heads, shape.dim / shape.heads})
                                    .permute({2, 0, 3, 1, 4});
    const torch::Tensor scores = torch::softmax(torch::matmul(parts[0], parts[1].transpose(-1, -2)) /
                                                    std::sqrt(static_cast<double>(shape.dim / shape.heads)),
                                                -1);
    const torch::Tensor want = torch::matmul(scores, parts[2]).transpose(1, 2).flatten(2);
    ExpectNear(have, want.to(torch::kFloat), "attention");
    // Not contiguous, as gradients that come through views may be.
    (have * weights.transpose(0, 1).contiguous().transpose(0, 1)).sum().backward();
    (want * weights).sum().backward();
    ExpectNear(have_in.grad(), want_in.grad().to(torch::kFloat), "gradient of attention");
  }
}

// A module in training mode takes that step, and its gradients are those of the plain operations, which it takes in
// evaluation mode with gradients on.
TEST_F(FastPath, GradientsOfAnAttentionModule) {
  Attention attention(24, 3);
  Fill(attention);
  const torch::Tensor x = torch::randn({2, 37, 24});
  const auto gradients = [&](bool training) {
    attention.train(training);
    attention.zero_grad();
    const torch::Tensor input = x.clone().requires_grad_();
    attention.Forward(input, nullptr).square().sum().backward();
    std::vector<torch::Tensor> all = {input.grad()};
    for (const torch::Tensor& parameter : attention.parameters()) all.push_back(parameter.grad().clone());
    return all;
  };
  const std::vector<torch::Tensor> have = gradients(true);
  const std::vector<torch::Tensor> want = gradients(false);
  ASSERT_EQ(have.size(), want.size());
  for (size_t i = 0; i < have.size(); ++i) ExpectNear(have[i], want[i], std::to_string(i));
}

}  // namespace
}  // namespace sightline::model
