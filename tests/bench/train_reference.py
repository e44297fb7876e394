"""The peer of `sightline-bench train`: the networks of embed_reference.py trained in PyTorch eager as a user would:
torchvision's transforms in the workers of a DataLoader, channels last, ArcFace, AdamW, the gradient clipped.

Usage: train_reference.py THREADS. One JSON object per line on standard input, one answer per line on standard output:

  {"load": FOLDER, "images": FILE, "shape": [B, 3, H, W], "photos": [PATH...], "labels": [N...],
   "classes": C, "batch": B, "side": S, "workers": W, "batches": K, "augment": {...}, "loss": {...}, "optimiser": {...},
   "clip": G}
      reads FOLDER/model.json and FOLDER/weights.safetensors; answers {"descriptors": [...]}, those of the float32 images
      in evaluation mode, L2-normalised, one after the other. Then everything for training stands ready.
  {"run": PART}  answers {"seconds": T, "loss": L} of K batches. PART is "all"; "load", decoding and augmenting alone; or
      "step", learning alone, from one batch over and over.
"""

import math
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms

import embed_reference

LAST = torch.channels_last


class Photos(torch.utils.data.Dataset):
    def __init__(self, paths, labels, side, augment):
        self.paths, self.labels = paths, labels
        stretch = augment["crop_stretch"]
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(
                    side,
                    scale=(augment["crop_area"], 1),
                    ratio=(1 / stretch, stretch),
                    interpolation=transforms.InterpolationMode.BICUBIC,
                ),
                transforms.RandomHorizontalFlip(augment["flip"]),
                transforms.ColorJitter(brightness=augment["brightness"]),
                transforms.ToTensor(),
                transforms.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB")), self.labels[index]


class ArcFace(nn.Module):
    def __init__(self, dim, classes, margin, scale):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, dim))
        nn.init.xavier_uniform_(self.weight)
        self.cos, self.sin = math.cos(margin), math.sin(margin)
        self.threshold, self.offset = math.cos(math.pi - margin), margin * math.sin(math.pi - margin)
        self.scale = scale

    def forward(self, descriptors, labels):
        cosines = F.linear(descriptors, F.normalize(self.weight))
        true = cosines.gather(1, labels[:, None])
        sine = (1 - true.square()).clamp(min=1e-7).sqrt()
        phi = torch.where(true > self.threshold, true * self.cos - sine * self.sin, true - self.offset)
        return F.cross_entropy(self.scale * cosines.scatter(1, labels[:, None], phi), labels)


class Peer:
    def __call__(self, question):
        return self.load(question) if "load" in question else self.run(question["run"])

    def load(self, question):
        torch.manual_seed(1)
        self.model, config = embed_reference.read_model(question["load"])
        self.model = self.model.to(memory_format=LAST)
        loss, optimiser = question["loss"], question["optimiser"]
        self.loss = ArcFace(config["head"]["dim"], question["classes"], loss["margin"], loss["scale"])
        self.clip = question["clip"]
        self.parameters = [*self.model.parameters(), *self.loss.parameters()]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in self.parameters if p.dim() > 1], "weight_decay": optimiser["weight_decay"]},
                {"params": [p for p in self.parameters if p.dim() <= 1], "weight_decay": 0},
            ],
            lr=optimiser["lr"],
        )
        photos = Photos(question["photos"], question["labels"], question["side"], question["augment"])
        self.loader = torch.utils.data.DataLoader(
            photos,
            batch_size=question["batch"],
            sampler=torch.utils.data.RandomSampler(photos, num_samples=question["batches"] * question["batch"]),
            num_workers=question["workers"],
            persistent_workers=True,
        )
        images = embed_reference.read_images(question["images"], question["shape"])
        self.model.eval()
        with torch.inference_mode():
            descriptors = self.model(images.contiguous(memory_format=LAST))
        self.model.train()
        for self.batch in self.loader:  # which also starts the workers
            pass
        return {"descriptors": descriptors.flatten().tolist()}

    def step(self, images, labels):
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self.model(images.contiguous(memory_format=LAST)), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimiser.step()
        return loss.item()

    def run(self, part):
        loss = 0
        start = time.perf_counter()
        batches = [self.batch] * len(self.loader) if part == "step" else self.loader
        for images, labels in batches:
            if part != "load":
                loss = self.step(images, labels)
        return {"seconds": time.perf_counter() - start, "loss": loss}


if __name__ == "__main__":
    embed_reference.serve(Peer())
