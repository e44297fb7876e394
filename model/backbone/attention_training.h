// Attention that is trained on the CPU: one step of LibTorch's graph, computed forward and backward by the engine.
// LibTorch's batched products go through BLAS matrix by matrix and take three times as long at the sizes of a ViT.
//
// Threading: one thread at a time. Failure: exceptions of LibTorch.
#ifndef SIGHTLINE_MODEL_BACKBONE_ATTENTION_TRAINING_H_
#define SIGHTLINE_MODEL_BACKBONE_ATTENTION_TRAINING_H_

#include <torch/torch.h>

namespace sightline::model {

// Whether `qkv` is of the kind AttendTraining computes with: float32 in main memory.
bool CanAttendTraining(const torch::Tensor& qkv);

// qkv (B, T, 3 D), of every token its query, key and value -> softmax(q k^T / sqrt(D / heads)) v, (B, T, D), with a
// gradient for qkv, of which no further gradient can be taken.
torch::Tensor AttendTraining(const torch::Tensor& qkv, int64_t heads);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_ATTENTION_TRAINING_H_
