"""Fine-tuning with Keras: the head is solved first, then the last layers are trained, too."""

import sys
from pathlib import Path

import keras

from covidct.data.prepared import PreparedSlices
from covidct.data.stream import class_weights, evaluation_batches, training_batches
from covidct.errors import TrainingStopped
from covidct.messages import N_
from covidct.models.backbones import get_backbone, get_preprocess_input
from covidct.models.folding import fold_batch_norm, round_to_half_precision
from covidct.models.network import (
    DROPOUT_LAYER,
    build_network,
    freeze_for_finetuning,
    put_head,
)
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph
from covidct.training.callbacks import KeepEpochs, LogEpochs, RefuseDivergence, SayProgress
from covidct.training.config import TrainConfig
from covidct.training.events import write_events
from covidct.training.metrics import epoch_metrics
from covidct.training.mlflow_run import tell_mlflow
from covidct.training.probe import pooled_views, solve_parts
from covidct.training.progress import ProgressWriter
from covidct.training.run_folder import BEST_WEIGHTS, finished_epochs, is_trained
from covidct.training.trunks import pretrained_graph

_EVALUATION_BATCH = 32


def finetune(
    run: Path,
    config: TrainConfig,
    training: PreparedSlices,
    validation: PreparedSlices,
    writer: ProgressWriter,
) -> keras.Model:
    """Train, and give the network of the epoch with the best validation AUC.

    Goes on after the last whole epoch; stopped on request, it ends with the best epoch so far.

    Returns:
        The network with its batch normalisation folded into the convolutions.

    Raises:
        ConfigError: the pretrained weights cannot be had, or the loss became no number.
        TrainingStopped: stopped on request before the first epoch had ended.
    """
    keras.utils.set_random_seed(config.seed)
    writer.say(batch=0, batches=0, message=N_("Building the network."))
    network = _compiled_network(config, len(training.items))
    steps = _steps(config, len(training.items))
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    training_stream = training_batches(
        training,
        config.batch_size,
        preprocess_input,
        config.augmentation,
        config.seed,
        current_epoch=lambda: int(network.optimizer.iterations) // steps,
    )
    if config.probe_views and not finished_epochs(run):
        _solve_head(network, config, training, writer)
    keep_epochs = KeepEpochs(run)
    with keep_epochs.lay_out():
        try:
            if not is_trained(run):
                network.fit(
                    training_stream,
                    validation_data=evaluation_batches(
                        validation, _EVALUATION_BATCH, preprocess_input
                    ),
                    epochs=config.finetuning_epochs,
                    shuffle=False,  # the stream shuffles
                    class_weight=class_weights(training.labels) if config.class_weights else None,
                    verbose=1 if sys.stdout.isatty() else 2,
                    callbacks=[
                        *_callbacks(run, config, network, keep_epochs),
                        SayProgress(writer, steps, config.finetuning_epochs),
                    ],
                )
        except TrainingStopped:
            if not finished_epochs(run):
                raise
    network.load_weights(run / BEST_WEIGHTS)
    kept = fold_batch_norm(keras.Model(network.input, network.output, name=config.backbone))
    round_to_half_precision(kept)
    return kept


def _solve_head(
    network: keras.Model, config: TrainConfig, training: PreparedSlices, writer: ProgressWriter
) -> None:
    graph = pretrained_graph(config, training.pixels, in_integers=False)
    trunks = TrunkMaps(Graph(graph), get_backbone(config.backbone))
    pooled = pooled_views(
        trunks,
        training,
        get_preprocess_input(config.backbone, config.pixel_scaling),
        config.augmentation,
        lambda views: writer.watch(views, N_("Extracting features, view.")),
        views=config.probe_views,
        seed=config.seed,
    )
    writer.say(batch=0, batches=0, message=N_("Fitting the linear head (logistic regression)."))
    put_head(network, solve_parts(trunks, pooled, balanced=config.class_weights))


def _compiled_network(config: TrainConfig, training_slices: int) -> keras.Model:
    network = build_network(
        config.backbone, config.input_size, dropout=config.dropout, pretrained=config.pretrained
    )
    freeze_for_finetuning(network, config.trainable_share)
    steps = _steps(config, training_slices)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.peak_learning_rate / 100,
        warmup_target=config.peak_learning_rate,
        warmup_steps=steps,
        decay_steps=max(1, (config.finetuning_epochs - 1) * steps),
        alpha=0.01,
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay),
        loss=keras.losses.BinaryCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        ),
        metrics=epoch_metrics(),
    )
    network.optimizer.build(network.trainable_variables)  # or its state could not be loaded
    return network


def _steps(config: TrainConfig, training_slices: int) -> int:
    return -(-training_slices // config.batch_size)


def _callbacks(
    run: Path, config: TrainConfig, network: keras.Model, keep_epochs: KeepEpochs
) -> list[keras.callbacks.Callback]:
    dropout = network.get_layer(DROPOUT_LAYER).seed_generator.state
    return [
        # A backup does not hold the state of dropout, which a resumed run must share.
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, _: dropout.assign([config.seed, epoch])
        ),
        RefuseDivergence(),
        LogEpochs(run),
        keras.callbacks.BackupAndRestore(keep_epochs.unfinished, delete_checkpoint=False),
        keep_epochs,
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, figures: write_events(run, epoch, figures)
        ),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: tell_mlflow(run)),
    ]
