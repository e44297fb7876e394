// A start for DToP's head from which a trained backbone is useful at once: the descriptor is the class token of the
// last layer, and what the descriptor has room for beyond that is the mean of the last layer's patches. Both are
// standardised by the batch norm behind them as training goes on.
//
// Threading: one thread at a time. Failure: INVALID_ARGUMENT for a head without these parts, or too narrow for a token.
//
//   SIGHTLINE_RETURN_IF_ERROR(StartFromClassToken(config, *network));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_CLASS_TOKEN_START_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_CLASS_TOKEN_START_H_

#include "absl/status/status.h"
#include "model/config/model_config.h"
#include "model/registry.h"

namespace sightline::train {

absl::Status StartFromClassToken(const model::ModelConfig& config, model::Network& network);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_CLASS_TOKEN_START_H_
