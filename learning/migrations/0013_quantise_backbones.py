import django.db.models.deletion
from django.db import migrations, models


FORWARD = """
create trigger learning_quantisedexport_is_append_only before update on learning_quantisedexport
    for each row execute function learning_refuse_update();
"""
BACKWARD = "drop trigger learning_quantisedexport_is_append_only on learning_quantisedexport"


class Migration(migrations.Migration):

    dependencies = [
        ('labelling', '0009_labels_carry_their_chance'),
        ('learning', '0012_augmentation_policies'),
    ]

    operations = [
        migrations.CreateModel(
            name='QuantisedBackbone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('paused', 'Paused')], default='queued', max_length=7)),
                ('stage', models.CharField(blank=True, default='', help_text='What it is doing now, in words.', max_length=60)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('error', models.CharField(blank=True, default='', max_length=500)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('enqueued_at', models.DateTimeField(help_text='When a worker was last asked to do it.', null=True)),
                ('started_at', models.DateTimeField(null=True)),
                ('heartbeat_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('backbone', models.CharField(help_text='The float32 one, by name.', max_length=60)),
                ('exact', models.CharField(blank=True, default='', help_text='Digest of the float32 ONNX.', max_length=64)),
                ('name', models.CharField(blank=True, default='', help_text='Of the int8 one.', max_length=60)),
                ('digest', models.CharField(blank=True, default='', help_text='Digest of the int8 ONNX.', max_length=64)),
                ('images', models.PositiveIntegerField(help_text='Pictures of the pool it was calibrated on.', null=True)),
                ('speeds', models.JSONField(default=dict)),
                ('size', models.PositiveIntegerField(help_text='Bytes of the float32 ONNX.', null=True)),
                ('size_int8', models.PositiveIntegerField(help_text='Bytes of the int8 ONNX.', null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quantised_backbones', to='labelling.project')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='QuantisedExport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('labels', models.PositiveIntegerField(help_text='Hold-out labels that both were measured on.')),
                ('right', models.PositiveIntegerField(help_text='Of these, by float32.')),
                ('right_int8', models.PositiveIntegerField(help_text='Of these, by int8.')),
                ('used', models.BooleanField(help_text='int8 answers where this version does.')),
                ('why', models.CharField(help_text='Why it is used or not, in a sentence.', max_length=300)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('made', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exports', to='learning.quantisedbackbone')),
                ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='quantised', to='learning.modelversion')),
            ],
            options={
                'ordering': ['-version_id'],
            },
        ),
        migrations.AddConstraint(
            model_name='quantisedbackbone',
            constraint=models.UniqueConstraint(fields=('project', 'backbone'), name='a_backbone_in_int8_once_a_project'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
