from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('serving', '0013_images_drawn_with_a_known_chance'),
    ]

    operations = [
        migrations.AddField(
            model_name='prediction',
            name='precision',
            field=models.CharField(default='float32', help_text='The numbers of the backbone that answered.', max_length=7),
        ),
    ]
